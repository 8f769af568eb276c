import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  decodeModel,
  encodeModel,
  MODEL_KEY,
  type ModelFile,
  modelGraph,
  requireForm,
} from '../../src/checkpoint/model-file.ts';
import { NAMINGS, toApple } from '../../src/checkpoint/names.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { UserError } from '../../src/core/errors.ts';
import type { StateDict } from '../../src/core/tensor.ts';
import { VERSION } from '../../src/core/version.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS, type Variant } from '../../src/models/mobileone.ts';
import { fuse } from '../../src/reparam/fuse.ts';

const tiny: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 2, 1],
  widths: [0.125, 0.25, 0.125, 0.125],
  se_blocks: [0, 0, 1, 0],
  num_conv_branches: 2,
  num_classes: 3,
};
const preprocessing = {
  size: 96,
  cropPct: 0.9,
  mean: [0.5, 0.4, 0.3],
  std: [0.2, 0.2, 0.2],
  interpolation: 'bilinear' as const,
};
const graph = mobileOne(tiny);
const model: ModelFile = {
  config: tiny,
  form: 'train',
  classes: ['cat', 'dog', 'nægtergal 🐦'],
  preprocessing,
  graph,
  state: initialState(graph, 5),
  metrics: { top1: 97.5 },
  info: { license: 'MIT' },
};
const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  return expect.fail('nothing was thrown');
};

test('a model file is read back whole, in both forms', () => {
  const back = decodeModel(encodeModel(model));
  expect({ ...back, state: sorted(back.state) }).toEqual({
    ...model,
    state: sorted(model.state),
    info: { license: 'MIT', created_with: `mobileone ${VERSION}` },
  });
  const fused: ModelFile = { ...model, form: 'fused', ...fuse(model.graph, model.state) };
  const fusedBack = decodeModel(encodeModel(fused));
  expect(fusedBack.form).toBe('fused');
  // Files that don't say are of one label an image.
  expect(fusedBack.multiLabel).toBeUndefined();
  expect(decodeModel(encodeModel({ ...fused, multiLabel: true })).multiLabel).toBe(true);
  expect(fusedBack.graph).toEqual(modelGraph(tiny, 'fused'));
  expect(sorted(fusedBack.state)).toEqual(sorted(fused.state));
});

const sorted = (state: StateDict): StateDict => new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));

test.each(['train', 'fused'] as const)('files without a description are recognized: %s form', (form) => {
  const state = form === 'train' ? model.state : fuse(graph, model.state).state;
  for (const rename of [(name: string) => name, toApple]) {
    const counters: StateDict = new Map([
      ['stem.conv_scale.bn.num_batches_tracked', { shape: [], data: Int32Array.of(9) }],
    ]);
    const renamed = new Map([...state, ...counters].map(([name, value]) => [rename(name), value]));
    const found = decodeModel(encodeSafetensors(renamed));
    expect(found.form).toBe(form);
    expect(found.variant).toBeUndefined();
    expect(found.config).toEqual({ ...tiny, num_conv_branches: form === 'train' ? 2 : 1 });
    expect(sorted(found.state)).toEqual(sorted(state));
    expect(found.classes).toEqual(['0', '1', '2']);
  }
});

test.each(Object.keys(VARIANTS) as Variant[])('%s is told from names and shapes, in both forms', (variant) => {
  const config = { ...VARIANTS[variant], num_classes: 4 };
  for (const form of ['train', 'fused'] as const) {
    const params = Object.entries(modelGraph(config, form).params);
    const state: StateDict = new Map(
      params.map(([name, { shape }]) => [name, { shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)) }]),
    );
    const found = decodeModel(encodeSafetensors(state));
    expect([found.variant, found.form, found.config]).toEqual([variant, form, config]);
  }
});

const released = '../shared/weights/mobileone_s0_fused_apple_in1k.safetensors';
test.skipIf(!existsSync(released))("Apple's released fused S0 is recognized (skipped without ../shared)", () => {
  const found = decodeModel(readFileSync(released));
  expect([found.variant, found.form, found.config]).toEqual(['s0', 'fused', VARIANTS.s0]);
  expect(found.preprocessing).toMatchObject({ size: 224, cropPct: 0.875 });
  for (const naming of NAMINGS) {
    const back = decodeModel(encodeModel(found, { naming }));
    expect(Buffer.compare(encodeModel(back), encodeModel(found))).toBe(0);
  }
});

test('a mismatch lists at most ten differing names', () => {
  const state = new Map(model.state);
  state.delete('stages.2.3.identity.bias');
  state.set('extra.weight', { shape: [2], data: new Float32Array(2) });
  state.set('head.fc.bias', { shape: [4], data: new Float32Array(4) });
  const text = message(() => decodeModel(encodeSafetensors(state)));
  expect(text).toContain('3 of ');
  expect(text).toContain('stages.2.3.identity.bias [32] is missing');
  expect(text).toContain('head.fc.bias is [4], expected [3]');
  expect(text).toContain('extra.weight [2] is unknown');
  const bare = new Map([...model.state].filter(([name]) => !/bn\.(weight|bias)$/.test(name)));
  const many = message(() => decodeModel(encodeSafetensors(bare)));
  expect(many.match(/is missing/g)).toHaveLength(10);
  expect(many).toMatch(/… and \d+ more$/);
});

test('what is no MobileOne is told', () => {
  const other: StateDict = new Map([['layer1.weight', { shape: [1], data: new Float32Array(1) }]]);
  expect(message(() => decodeModel(encodeSafetensors(other)))).toContain('neither branches nor fused convolutions');
  const gap = new Map([...model.state].filter(([name]) => !name.startsWith('stages.3')));
  expect(message(() => decodeModel(encodeSafetensors(gap)))).toContain('no block in stage 3');
});

test('weights without a classifier make a model of no classes, written and read back as such', () => {
  const bodyOnly = new Map([...model.state].filter(([name]) => !name.startsWith('head')));
  const found = decodeModel(encodeSafetensors(bodyOnly));
  expect([found.config.num_classes, found.classes]).toEqual([0, []]);
  expect(Object.keys(found.graph.outputs)).toEqual(['features']);
  expect(decodeModel(encodeModel(found)).config).toEqual({ ...tiny, num_classes: 0 });
  const fused = { ...found, form: 'fused' as const, ...fuse(found.graph, found.state) };
  expect(decodeModel(encodeModel(fused)).form).toBe('fused');
});

test('a damaged or hostile description is told', () => {
  const { tensors, metadata } = decodeSafetensors(encodeModel(model));
  const description = JSON.parse(metadata[MODEL_KEY]!) as Record<string, unknown>;
  const read = (text: string): string => message(() => decodeModel(encodeSafetensors(tensors, { [MODEL_KEY]: text })));
  const changed = (change: object): string => read(JSON.stringify({ ...description, ...change }));
  expect(read('{')).toContain('not JSON');
  expect(read('null')).toContain('layout');
  expect(changed({ layout: 99 })).toContain('newer version');
  expect(changed({ form: 'both' })).toContain('form');
  expect(changed({ config: {} })).toContain('depths');
  expect(changed({ config: { ...tiny, depths: [1, 1e9, 1, 1] } })).toContain('more parameters than it has');
  expect(changed({ config: { ...tiny, num_conv_branches: 1e9 } })).toContain('more parameters than it has');
  expect(changed({ config: { ...tiny, widths: [-1, 1, 1, 1] } })).toContain('widths');
  expect(changed({ multiLabel: 'yes' })).toContain('multiLabel');
  expect(changed({ classes: ['a'] })).toContain('1 of 3 classes');
  expect(changed({ preprocessing: { ...preprocessing, mean: [1] } })).toContain('mean and std');
  expect(changed({ config: { ...tiny, num_conv_branches: 1 } })).toContain('is unknown');
});

test('the form is checked where it matters', () => {
  expect(() => requireForm(model, 'train', 'to continue training')).not.toThrow();
  expect(message(() => requireForm(model, 'fused', 'to export'))).toBe(
    'This model is in train form, and the fused form is needed to export.',
  );
  expect(message(() => requireForm({ form: 'fused' }, 'train', 'to continue training'))).toBe(
    'This model is fused, and the train form is needed to continue training.',
  );
});

test('a state that does not fit is not written', () => {
  expect(message(() => encodeModel({ ...model, state: new Map() }))).toContain('is missing');
});

test('the version is that of package.json', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});

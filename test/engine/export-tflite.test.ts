/** TFLite files as they are exported, run by LiteRT.js in Node against the reference engine, over precisions, networks and inputs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { random } from '../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { decodeTable } from '../../src/engine/tflite/read-flatbuffer.ts';
import { MODEL_SCHEMA } from '../../src/engine/tflite/schema.ts';
import { type ExportedModel, type ExportOptions, FORMAT_BOUNDS } from '../../src/export/format.ts';
import { openTfliteClassifier } from '../../src/export/tflite/classifier-node.ts';
import { TFLITE } from '../../src/export/tflite/format-node.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { compareLogits, summarize } from '../../src/reparam/prove.ts';
import { operatorNames } from './cases/litert.ts';
import { lively } from './cases/models.ts';

const folder = await mkdtemp(join(tmpdir(), 'tflite-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Network {
  readonly k?: number;
  readonly se?: boolean;
  readonly channels?: number;
  readonly size?: number;
}

const BASE: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 2, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  num_classes: 7,
};

function modelOf({ k = 2, se = false, channels = 3, size = 40 }: Network, more: Partial<ModelFile> = {}): ModelFile {
  const config: MobileOneConfig = {
    ...BASE,
    num_conv_branches: k,
    in_chans: channels,
    se_blocks: se ? [0, 1, 0, 1] : BASE.se_blocks,
  };
  const graph = mobileOne(config);
  return {
    config,
    form: 'train',
    classes: ['ant', 'bee', 'Käfer', 'dragon\nfly', 'mouse, gray', 'quail', 'rat'],
    preprocessing: {
      size,
      cropPct: 0.875,
      interpolation: 'bilinear',
      mean: [0.5, 0.4, 0.3, 0.6].slice(0, channels),
      std: [0.25, 0.2, 0.3, 0.22].slice(0, channels),
    },
    graph,
    state: lively(graph, 11),
    info: {},
    ...more,
  };
}

function photos(shape: readonly number[]): Tensor {
  const rng = random(5);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}

const operatorsOf = ({ files, main }: ExportedModel): string[] => operatorNames(files.get(main)!);

const count = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(names)].sort().map((name) => [name, names.filter((one) => one === name).length]));

/** Runs the file and the reference engine on three images. */
async function check(exported: ExportedModel): Promise<void> {
  const { size, mean } = exported.preprocessing;
  const images = photos([3, size, size, mean.length]);
  const engine = createReferenceEngine();
  const program = await engine.compile(exported.graph, { dims: { N: 3, H: size, W: size } });
  loadState(program, exported.state);
  const { logits } = await program.run({ image: images });
  const runner = await TFLITE.open!(exported.files, exported.main);
  const actual = await runner.logits(images);
  await runner.dispose();
  expect(runner.description).toMatch(/^LiteRT\.js 2\.\d+\.\d+ \(wasm, 1 thread\)$/);
  const proof = summarize(compareLogits(logits!, actual, 3), FORMAT_BOUNDS[exported.options.precision], '');
  expect(proof).toMatchObject({ passed: true, top1Agreement: 100, images: 3 });
}

/** Strided convolutions whose padding at this size is not TensorFlow's. */
function expectedPads(size: number): number {
  let pads = 0;
  for (let side = size, i = 0; i < 5; i++, side = Math.ceil(side / 2)) if (side % 2 === 0) pads++;
  return pads;
}

const NETWORKS: readonly Network[] = [
  {},
  { k: 1, se: true },
  { k: 4, size: 33 },
  { se: true, size: 45 },
  { channels: 1, size: 37 },
  { channels: 2 },
  { channels: 4, se: true },
];

describe.each(TFLITE.precisions)('%s', (precision) => {
  describe.each(['fused', 'train'] as const)('%s form', (form) => {
    test.each(NETWORKS)('%o', async (network) => {
      const exported = await TFLITE.encode(modelOf(network), { precision, form });
      const names = operatorsOf(exported);
      expect(names).not.toContain('TRANSPOSE');
      expect(names.slice(0, 3)).toEqual(['CAST', 'MUL', 'ADD']);
      const { PAD = 0, RELU = 0, RESHAPE = 0 } = count(names);
      expect({ PAD, RELU, RESHAPE }).toEqual({
        PAD: expectedPads(exported.options.size),
        RELU: 0,
        RESHAPE: 0,
      });
      await check(exported);
    });
  });

  test.each([{}, { channels: 1 }, { channels: 4 }])('normalized outside, %o', async (network) => {
    await check(await TFLITE.encode(modelOf(network), { precision, preprocessing: false }));
  });
});

test('the operators of the fused form are those of the network, and nothing more', async () => {
  const exported = await TFLITE.encode(modelOf({ se: true }));
  expect(count(operatorsOf(exported))).toEqual({
    ADD: 1,
    CAST: 1,
    CONV_2D: 1 + 5 + 2 * 4,
    DEPTHWISE_CONV_2D: 5,
    FULLY_CONNECTED: 1,
    LOGISTIC: 4,
    MEAN: 4 + 1,
    MUL: 1 + 4,
    PAD: 3,
  });
});

test('float16 files hold no float32 numbers but biases and the normalization', async () => {
  const { files, main } = await TFLITE.encode(modelOf({}), { precision: 'fp16' });
  const model = decodeTable(MODEL_SCHEMA, files.get(main)!) as unknown as {
    subgraphs: { tensors: { type: number; buffer: number; name: string }[] }[];
  };
  const float32 = model.subgraphs[0]!.tensors.filter(({ buffer, type }) => buffer > 0 && type === 0);
  const others = float32.map(({ name }) => name).filter((name) => !name.endsWith('.bias'));
  expect(others).toEqual(['input.scale', 'input.shift']);
});

test('what a file says of itself opens it again: classes with line breaks, several labels, another size', async () => {
  const several = modelOf({ size: 48 }, { multiLabel: true });
  const options: ExportOptions[] = [{}, { preprocessing: false }, { size: 33, precision: 'fp16' }];
  for (const [i, option] of options.entries()) {
    const { files, main, preprocessing } = await TFLITE.encode(several, option);
    const path = join(folder, `several-${i}.tflite`);
    await writeFile(path, files.get(main)!);
    const classifier = await openTfliteClassifier(path);
    expect(classifier).toMatchObject({ classes: several.classes, multiLabel: true, preprocessing });
    expect(preprocessing.size).toBe(option.size ?? 48);
    const image = photos([2, preprocessing.size, preprocessing.size, 3]);
    expect((await classifier.run({ image })).logits!.shape).toEqual([2, 7]);
    await classifier.dispose();
  }
});

test('refuses what the format cannot express, and says what to do', async () => {
  const model = modelOf({});
  const fused = await TFLITE.encode(model);
  const refusals: [ExportOptions, RegExp][] = [
    [{ layout: 'nchw' }, /\[1, height, width, channels\]/],
    [{ dynamicBatch: true }, /one image a run/],
    [{ dynamicSize: true }, /fixed size/],
    [{ size: 31 }, /at least 32/],
  ];
  for (const [options, message] of refusals) await expect(TFLITE.encode(model, options)).rejects.toThrow(message);
  const shipped: ModelFile = { ...model, form: 'fused', graph: fused.graph, state: fused.state };
  await expect(TFLITE.encode(shipped, { form: 'train' })).rejects.toThrow(/train form is needed/);
  const state = new Map(model.state);
  const [name, { shape, data }] = [...state].find(([key]) => key === 'head.fc.weight')!;
  state.set(name, { shape, data: Float32Array.from(data, (value) => value * 1e7) });
  await expect(TFLITE.encode({ ...model, state }, { precision: 'fp16' })).rejects.toThrow(/65504/);
  await expect(TFLITE.open!(fused.files, 'other.tflite')).rejects.toThrow(/no other.tflite/);
  await expect(TFLITE.open!(fused.files, fused.main, { runtime: 'web' })).rejects.toThrow(/not run by "web"/);
});

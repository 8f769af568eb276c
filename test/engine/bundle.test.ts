/** The export bundle on a small model: complete, checked, and nothing written when the check fails. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { measure } from '../../src/bench/measure.ts';
import { shortProtocol } from '../../src/bench/protocol.ts';
import { modelSubjects } from '../../src/bench/subjects-node.ts';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { random } from '../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { decodeOnnx } from '../../src/engine/onnx/encode.ts';
import { openOnnx } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { writeBundle } from '../../src/export/bundle-node.ts';
import { sha256 } from '../../src/export/onnx/write.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';

const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const config: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.2, 0.1, 0.1, 0.1],
  num_conv_branches: 2,
  num_classes: 3,
};
const graph = mobileOne(config);
const model: ModelFile = {
  config,
  form: 'train',
  classes: ['apple', 'pear', 'plum'],
  preprocessing: {
    size: 32,
    cropPct: 0.875,
    interpolation: 'bilinear',
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
  },
  graph,
  state: initialState(graph, 7),
  metrics: { top1: 91.25 },
  info: {},
};

function photos(shape: readonly number[]): Tensor {
  const rng = random(1);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}

const engine = createReferenceEngine();

test('a bundle holds the model, its labels, its proof and golden images that the file reproduces', async () => {
  const to = join(folder, 'plain');
  const images = [{ images: photos([4, 32, 32, 3]), count: 3 }];
  const details = { title: 'Fruit', recipe: { lr: 0.1 }, command: 'mobileone train fruit', license: 'CC0' };
  const bundle = await writeBundle(to, model, { engine, images, golden: 2, details });
  expect((await readdir(to)).sort()).toEqual([
    'README.md',
    'card.json',
    'golden',
    'golden.json',
    'labels.txt',
    'model.onnx',
    'preprocessing.json',
    'proof.json',
  ]);
  expect(bundle.proof).toMatchObject({ images: 3, passed: true, top1Agreement: 100 });
  const text = (name: string): Promise<string> => readFile(join(to, name), 'utf8');
  expect(await text('labels.txt')).toBe('apple\npear\nplum\n');
  const card = await text('README.md');
  for (const part of [
    '# Fruit',
    'uint8 RGB [N, 32, 32, 3]',
    '| top1 | 91.25 |',
    'short side to 36 px',
    'CC0',
    'mobileone train fruit',
    '"lr": 0.1',
  ]) {
    expect(card).toContain(part);
  }
  const bytes = new Uint8Array(await readFile(bundle.model));
  expect(card).toContain(await sha256(bytes));
  const { metadata } = await decodeOnnx(bytes);
  expect(JSON.parse(metadata['mobileone.labels']!)).toEqual(model.classes);
  expect(metadata).toMatchObject({
    'mobileone.form': 'fused',
    'mobileone.weights_sha256': expect.stringMatching(/^\w{64}$/),
  });

  const golden = JSON.parse(await text('golden.json')) as { file: string; label: string; logits: number[] }[];
  expect(golden).toHaveLength(2);
  const session = await openOnnx(bundle.model);
  for (const { file, logits, label } of golden) {
    const pixels = await sharp(join(to, file)).removeAlpha().raw().toBuffer();
    const result = await session.run({ image: { shape: [1, 32, 32, 3], data: new Uint8Array(pixels) } });
    for (const [i, value] of logits.entries()) expect(result.logits!.data[i]).toBeCloseTo(value, 4);
    expect(model.classes).toContain(label);
  }
  await session.dispose();
});

test('nothing is written when the check fails or there is no image', async () => {
  const to = join(folder, 'failed');
  await expect(writeBundle(to, model, { engine, images: [] })).rejects.toThrow(/no images/);
  const strict = writeBundle(to, model, { engine, images: [photos([1, 32, 32, 3])], bound: 0 });
  await expect(strict).rejects.toThrow(/does not compute/);
  expect(existsSync(to)).toBe(false);
});

test('the subjects of a comparison are both forms on every runtime', async () => {
  const { subjects, notes } = await modelSubjects(model, { engine });
  expect(notes).toEqual([]);
  expect(subjects.map(({ name, runtime }) => `${name}: ${runtime.split(/[ ,]/)[0]}`)).toEqual([
    'train form, branches: reference',
    'fused: reference',
    'train form, branches: onnxruntime-node',
    'fused: onnxruntime-node',
    'train form, branches: onnxruntime-web',
    'fused: onnxruntime-web',
  ]);
  const rows = await measure(subjects, shortProtocol(1, 1, 0));
  expect(rows.every(({ mean, coldStart, firstRun }) => mean > 0 && coldStart > 0 && firstRun > 0)).toBe(true);
});

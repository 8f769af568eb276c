/** What can teach: a model of ours, the file exported from it, and ONNX files of other makers, all with the same answers. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { random } from '../../src/core/random.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { toOnnx } from '../../src/engine/onnx/to-onnx.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { teach } from '../../src/train/teacher.ts';
import { type OnnxTeacherOptions, onnxTeacher, ownTeacher } from '../../src/train/teacher-models-node.ts';
import { lively } from './cases/models.ts';

const CLASSES = ['a', 'b', 'c', 'd', 'e'];
const CONFIG: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  num_conv_branches: 2,
  num_classes: 5,
};
const GRAPH = mobileOne(CONFIG);
const STATE = lively(GRAPH, 3);
const MODEL: ModelFile = {
  config: CONFIG,
  form: 'train',
  classes: CLASSES,
  preprocessing: { ...DEFAULT_PREPROCESSING, size: 32 },
  graph: GRAPH,
  state: STATE,
  info: {},
};
const rng = random(1);
const IMAGES: Tensor = {
  shape: [4, 32, 32, 3],
  data: Uint8Array.from({ length: 4 * 32 * 32 * 3 }, () => rng.int(256)),
};
const OPTIONS: OnnxTeacherOptions = {
  batch: 4,
  size: 32,
  teacherSize: null,
  preprocess: null,
  classes: 5,
  threads: 1,
};

const folder = mkdtempSync(join(tmpdir(), 'teacher-'));
const fused = fuse(GRAPH, STATE);

/** Writes a fused graph as ONNX and returns the path. */
async function write(name: string, graph: Graph, dims: Record<string, number>, dynamicBatch: boolean): Promise<string> {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, await toOnnx(graph, fused.state, { dims, dynamicBatch }));
  return path;
}

async function expected(size: number): Promise<ArrayLike<number>> {
  const own = await ownTeacher(createReferenceEngine(), MODEL, 'own', { batch: 4, size });
  const batch = { images: IMAGES, labels: new Int32Array(4), indices: new Int32Array(4), count: 4 };
  const { data } = await teach(own, { classes: CLASSES, stepsPerEpoch: 1, batchSize: 4 }).logits(batch, 0, 0);
  await own.dispose();
  return data;
}

async function expectSame(path: string, options: Partial<OnnxTeacherOptions>, size = 32): Promise<string> {
  const model = await onnxTeacher(path, { ...OPTIONS, ...options });
  const teacher = teach(model, { classes: CLASSES, stepsPerEpoch: 1, batchSize: 4 });
  const batch = { images: IMAGES, labels: new Int32Array(4), indices: new Int32Array(4), count: 4 };
  const { shape, data } = await teacher.logits(batch, 0, 0);
  expect(shape).toEqual([4, 5]);
  Array.from(await expected(size)).forEach((value, i) => {
    expect(data[i]).toBeCloseTo(value, 4);
  });
  await teacher.close();
  return model.description;
}

test('a file with its preprocessing inside is fed bytes', async () => {
  const path = await write('bytes', withPreprocess(fused.graph, DEFAULT_PREPROCESSING), { N: 4, H: 32, W: 32 }, true);
  expect(await expectSame(path, {})).toMatch(/at 32 px, with its own preprocessing$/);
  await expect(onnxTeacher(path, { ...OPTIONS, preprocess: 'unit' })).rejects.toThrow('normalizes them itself');
});

test('a file of floats is fed what the recipe says; a fixed batch in parts', async () => {
  const path = await write('floats', fused.graph, { N: 4, H: 32, W: 32 }, true);
  expect(await expectSame(path, {})).toMatch(/preprocessing imagenet$/);
  await expectSame(await write('one', fused.graph, { N: 1, H: 32, W: 32 }, false), {});
  await expectSame(await write('three', fused.graph, { N: 3, H: 32, W: 32 }, false), {});
});

test('a file with a size of its own is fed images of that size', async () => {
  const path = await write('large', fused.graph, { N: 4, H: 48, W: 48 }, false);
  expect(await expectSame(path, {}, 48)).toContain('at 48 px');
  await expect(onnxTeacher(path, { ...OPTIONS, teacherSize: 64 })).rejects.toThrow('takes images of 48 px, not 64');
});

test('a file that gives other classes, or no ONNX at all, is refused', async () => {
  const path = await write('classes', fused.graph, { N: 4, H: 32, W: 32 }, false);
  await expect(onnxTeacher(path, { ...OPTIONS, classes: 7 })).rejects.toThrow('not [N, 7] for the 7 classes');
  const broken = join(folder, 'broken.onnx');
  writeFileSync(broken, 'no model');
  await expect(onnxTeacher(broken, OPTIONS)).rejects.toThrow("can't be opened by ONNX Runtime");
});

/** Exported ONNX files in both runtimes, every choice of the export with every other, against the float64 reference. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import { decodeOnnx } from '../../src/engine/onnx/encode.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { checkFiles } from '../../src/export/check-files.ts';
import { type ExportedModel, type ExportOptions, FORMAT_BOUNDS } from '../../src/export/format.ts';
import { FORMATS, formatOf } from '../../src/export/formats-node.ts';
import { ONNX } from '../../src/export/onnx/format-node.ts';
import { ONNX_RUNTIMES } from '../../src/export/onnx/runner-node.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { compareLogits, formRunner, summarize } from '../../src/reparam/prove.ts';
import { choices, graph, images, nameOf, photos, preprocessing, SIZE, train } from './cases/exports.ts';

const fused: ModelFile = { ...train, ...fuse(graph, train.state), form: 'fused' };
const engine = createReferenceEngine();

/** The reference's answers to the images. */
let answers: readonly Tensor[] = [];
beforeAll(async () => {
  const runner = formRunner(engine, { graph: withPreprocess(graph, preprocessing), state: train.state });
  answers = await Promise.all(images.map((one) => runner.logits(one)));
  await runner.dispose();
});

describe.each(ONNX_RUNTIMES)('in onnxruntime-%s', (runtime) => {
  test.each(choices.map((choice) => [nameOf(choice), choice] as const))('%s', async (_, choice) => {
    const { files, main, options } = await ONNX.encode(train, choice);
    expect(options).toEqual({ ...choice, size: SIZE });
    const runner = await ONNX.open!(files, main, { runtime });
    expect(runner.description).toMatch(new RegExp(`^onnxruntime-${runtime} \\d`));
    expect(runner.about).toMatchObject({ precision: choice.precision, classes: train.classes, preprocessing });
    for (const [i, one] of (choice.dynamicSize ? images : images.slice(0, 1)).entries()) {
      const gaps = compareLogits(answers[i]!, await runner.logits(one), one.shape[0]!);
      const proof = summarize(gaps, choice.precision === 'fp32' ? 1e-5 : FORMAT_BOUNDS.fp16, '');
      expect(proof).toMatchObject({ passed: true, top1Agreement: 100 });
      if (choice.precision === 'fp16') expect(proof.relativeDifference).toBeGreaterThan(1e-6);
    }
    if (!choice.dynamicSize) await expect(runner.logits(images[1]!)).rejects.toThrow(/the file takes 32 × 32/);
    await runner.dispose();
  });
});

const encoded = (options: ExportOptions = {}, model = train): Promise<ExportedModel> => ONNX.encode(model, options);

test('half precision halves the file, and leaves inputs, outputs and what float16 would spoil alone', async () => {
  const sizes: number[] = [];
  for (const precision of ONNX.precisions) {
    const { files, main } = await encoded({ precision });
    sizes.push(files.get(main)!.length);
    const { inputs, outputs, nodes, initializers, metadata } = await decodeOnnx(files.get(main)!);
    expect(inputs).toEqual([{ name: 'image', dtype: 'uint8', shape: ['N', SIZE, SIZE, 3] }]);
    expect(outputs).toEqual([{ name: 'logits', dtype: 'float32', shape: ['N', 7] }]);
    expect(metadata).toMatchObject({
      'mobileone.precision': precision,
      'mobileone.form': 'fused',
      'mobileone.task': 'single_label_classification',
      'mobileone.weights_sha256': expect.stringMatching(/^\w{64}$/),
    });
    const halves = [...initializers].filter(([, { data }]) => data instanceof Uint16Array).map(([name]) => name);
    expect(halves).toEqual(precision === 'fp16' ? [...fused.state.keys()] : []);
    const casts = nodes.filter(({ type }) => type === 'Cast').map(({ name }) => name);
    const inside = ['input.cast', 'input.half', ...pools.flatMap((name) => [`${name}.float`, `${name}.half`])];
    expect(casts).toEqual(precision === 'fp16' ? [...inside, 'logits.float'] : ['input.cast']);
    expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
  }
  expect(sizes[1]! / sizes[0]!).toBeLessThan(0.8); // most of such a small file is not weights
});
const pools = graph.nodes.filter(({ kind }) => kind === 'GlobalAveragePool').map(({ name }) => name);

test('nodes and values are named as the graph has them, the same ones each time', async () => {
  const [one, other] = await Promise.all([encoded({ form: 'train' }), encoded({ form: 'train' })]);
  expect(one.files.get(one.main)).toEqual(other.files.get(other.main));
  const { nodes } = await decodeOnnx(one.files.get(one.main)!);
  const names = new Set(nodes.map(({ name }) => name));
  for (const { kind, name } of graph.nodes) if (kind !== 'RepConv') expect(names).toContain(name);
  expect(names).toContain('stages.0.0.conv_kxk.1.bn');
  expect(nodes.at(-1)).toMatchObject({ name: 'head.fc', type: 'Gemm', outputs: ['logits'] });
  const floats = await encoded({ preprocessing: false });
  expect((await decodeOnnx(floats.files.get('model.onnx')!)).inputs).toEqual([
    { name: 'input', dtype: 'float32', shape: ['N', 3, SIZE, SIZE] },
  ]);
});

test('sums over many large values stay finite in half precision', async () => {
  // 128 × 128 positions of about 1,000 each: their sum is a hundred times the largest float16.
  const bias = train.state.get('stem.conv_kxk.0.bn.bias')!;
  const state: StateDict = new Map(train.state).set('stem.conv_kxk.0.bn.bias', {
    ...bias,
    data: new Float32Array(bias.data.length).fill(1000),
  });
  const size = 256;
  const model = { ...train, state, preprocessing: { ...preprocessing, size } };
  const exported = await encoded({ precision: 'fp16' }, model);
  const { checks } = await checkFiles([{ format: ONNX, exported }], exported, { engine }, [photos([1, size, size, 3])]);
  expect(checks).toMatchObject([{ proof: { passed: true } }]);
});

test('a file that belongs to other weights is refused', async () => {
  const exported = await encoded();
  const bias = { shape: [7], data: new Float32Array(7).map((_, i) => 0.01 * i) };
  const state = new Map([...exported.state, ['head.fc.bias', bias]]);
  const files = [{ format: ONNX, exported }];
  const check = checkFiles(files, { ...exported, state }, { engine }, images.slice(0, 1));
  await expect(check).rejects.toThrow(/does not compute what the model computes/);
  const none = checkFiles(files, exported, { engine }, []);
  await expect(none).rejects.toThrow(/no images/);
});

test('options that ONNX or the model can not satisfy are refused', async () => {
  await expect(encoded({ form: 'train' }, fused)).rejects.toThrow(/fused/);
  await expect(encoded({ size: 8 })).rejects.toThrow(/at least 32/);
  await expect(encoded({ precision: 'int8' as 'fp16' })).rejects.toThrow(/no precision "int8"/);
  const huge: StateDict = new Map(fused.state).set('head.fc.bias', { shape: [7], data: new Float32Array(7).fill(1e5) });
  await expect(encoded({ precision: 'fp16' }, { ...fused, state: huge })).rejects.toThrow(
    /"head\.fc\.bias" holds 1\.00e\+5, and float16 ends/,
  );
  const { files, main } = await encoded();
  await expect(ONNX.open!(files, main, { runtime: 'phone' })).rejects.toThrow(/don't run in "phone"/);
});

test('a file is of the format that its ending names', () => {
  expect(FORMATS.map(({ name }) => name)).toContain('onnx');
  expect(formatOf('a/b.c/model.ONNX')).toBe(ONNX);
  expect(formatOf('model.safetensors')).toBeUndefined();
  expect(formatOf('onnx')).toBeUndefined();
});

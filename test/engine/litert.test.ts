/** TFLite files as we write them, run by LiteRT.js in Node, against the float64 reference. */
import { describe, expect, test } from 'vitest';
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { openTflite } from '../../src/engine/litert-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { decodeTable } from '../../src/engine/tflite/read-flatbuffer.ts';
import { MODEL_SCHEMA, OPERATORS } from '../../src/engine/tflite/schema.ts';
import { toTflite } from '../../src/engine/tflite/to-tflite.ts';
import { convAttrs, graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { trainMode } from '../../src/step/train-step.ts';
import { toNhwc } from './cases/litert.ts';
import { lively, noise } from './cases/models.ts';

const TINY: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 2, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  se_blocks: [0, 1, 0, 1],
  num_conv_branches: 2,
  num_classes: 7,
};

function relativeError(actual: Tensor, expected: Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  const largest = Math.max(...Array.from(expected.data, Math.abs));
  return Math.max(...Array.from(expected.data, (value, i) => Math.abs(value - actual.data[i]!))) / largest;
}

async function expectSame(
  graph: Graph,
  state: StateDict,
  feeds: Record<string, Tensor>,
  dims: Record<string, number>,
): Promise<void> {
  const program = await createReferenceEngine().compile(graph, { dims });
  loadState(program, state);
  const expected = await program.run(feeds);
  const session = await openTflite(await toTflite(graph, state, { dims }));
  const images = Object.entries(feeds).map(([name, value]) => [name, toNhwc(value)]);
  const actual = await session.run(Object.fromEntries(images));
  session.dispose();
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected))
    expect(relativeError(actual[name]!, toNhwc(value)), name).toBeLessThan(1e-4);
}

describe('TFLite files in LiteRT.js', () => {
  test.each([
    [64, 64],
    [37, 45],
    [33, 32],
  ])('the fused network with squeeze-and-excite and features, %i × %i', async (H, W) => {
    const graph = mobileOne(TINY, { features: true });
    const fused = fuse(graph, lively(graph, 2));
    await expectSame(fused.graph, fused.state, { input: noise([1, 3, H, W], 3) }, { N: 1, H, W });
  });

  test('with the preprocessing inside, from bytes, a batch of two', async () => {
    const fused = fuse(mobileOne(TINY), lively(mobileOne(TINY), 4));
    const graph = withPreprocess(fused.graph, { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
    const data = Uint8Array.from({ length: 2 * 40 * 40 * 3 }, (_, i) => (i * 7919) % 256);
    await expectSame(graph, fused.state, { image: { shape: [2, 40, 40, 3], data } }, { N: 2, H: 40, W: 40 });
  });

  test.each([1, 2] as const)('paddings of convolutions as in PyTorch, stride %i', async (stride) => {
    for (const [kernel, dilation, size] of [
      [3, 1, 9],
      [3, 1, 10],
      [5, 1, 8],
      [3, 2, 11],
      [1, 1, 7],
    ] as const) {
      const g = graphBuilder('paddings');
      const x = g.input('input', ['N', 4, 'H', 'W']);
      const dense = g.conv('dense', x, 6, 4, convAttrs(kernel, stride, 1, dilation));
      const depthwise = g.conv('depthwise', x, 4, 4, convAttrs(kernel, stride, 4, dilation));
      const graph = g.build({ dense: g.op('Relu', 'act', [dense], {}), depthwise });
      await expectSame(graph, lively(graph, 5), { input: noise([1, 4, size, size], 6) }, { N: 1, H: size, W: size });
    }
  });

  test('other operators: sums, products and softmax', async () => {
    const g = graphBuilder('others');
    const x = g.input('x', ['N', 5]);
    const sum = g.op('Add', 'sum', [x, x], {});
    const positive = g.op('Relu', 'positive', [g.op('Mul', 'product', [sum, x], {})], {});
    const graph = g.build({ soft: g.op('Softmax', 'soft', [positive], {}), gate: g.op('Sigmoid', 'gate', [sum], {}) });
    await expectSame(graph, new Map(), { x: noise([2, 5], 7) }, { N: 2 });
  });

  test('there is no Transpose, bytes are the same each time, and metadata is kept', async () => {
    const fused = fuse(mobileOne(TINY), lively(mobileOne(TINY), 8));
    const options = { dims: { N: 1, H: 32, W: 32 }, metadata: { 'mobileone.form': 'fused' } };
    const [bytes, again] = [
      await toTflite(fused.graph, fused.state, options),
      await toTflite(fused.graph, fused.state, options),
    ];
    expect(bytes).toEqual(again);
    const model = decodeTable(MODEL_SCHEMA, bytes) as unknown as {
      operator_codes: { builtin_code: number }[];
      metadata: { name: string; buffer: number }[];
      buffers: { data?: Uint8Array }[];
    };
    for (const { data } of model.buffers) if (data) expect((data.byteOffset - bytes.byteOffset) % 16).toBe(0);
    const known = new Set(Object.values(OPERATORS).map(({ code }) => code));
    for (const { builtin_code } of model.operator_codes) expect(known).toContain(builtin_code);
    const { buffer } = model.metadata.find(({ name }) => name === 'mobileone.form')!;
    expect(new TextDecoder().decode(model.buffers[buffer]!.data)).toBe('fused');
  });

  test('refuses what it cannot write or open', async () => {
    const graph = mobileOne(TINY);
    const dims = { N: 1, H: 32, W: 32 };
    await expect(toTflite(trainMode(graph), lively(graph, 9), { dims })).rejects.toThrow(/stem.*train mode/);
    const g = graphBuilder('training');
    const x = g.input('x', ['N', 5]);
    const loss = g.build({ loss: g.op('SoftmaxCrossEntropyLoss', 'cost', [x, x], {}) });
    await expect(toTflite(loss, new Map(), { dims })).rejects.toThrow(/cost.*SoftmaxCrossEntropyLoss.*TFLite/);
    await expect(toTflite(graph, new Map(), { dims })).rejects.toThrow(/the state lacks the parameter "stem/);
    await expect(openTflite(Uint8Array.of(1, 2, 3, 4))).rejects.toThrow(/can't be opened by LiteRT/);
  });
});

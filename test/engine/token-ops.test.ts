/** Ops of transformers: ONNX Runtime and the float64 reference agree, also on files whose sizes are open; what does not fit is refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toOnnx } from '../../src/engine/onnx/to-onnx.ts';
import { openOnnx, ortEngine } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { bind } from '../../src/graph/bind.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { cost } from '../../src/graph/cost.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { OpAttrs, OpKind } from '../../src/graph/kinds.ts';
import { expectAgreement, runOn } from './cases/agreement.ts';
import { noise } from './cases/models.ts';
import { tokenCases } from './cases/token-ops.ts';

const ort = { name: 'ort', engine: await ortEngine(), threads: 1 };

test.each(tokenCases())('ONNX Runtime: $graph.name', async (one) => {
  await expectAgreement([ort], one);
});

test.each(tokenCases().flatMap((one) => (['float32', 'float16'] as const).map((dtype) => ({ ...one, dtype }))))(
  'a file whose sizes are open, $dtype: $graph.name',
  async ({ graph, dims, feeds, state, dtype }) => {
    const session = await openOnnx(await toOnnx(graph, state, { dtype }), { runtime: 'node', threads: 1 });
    const actual = await session.run(feeds);
    await session.dispose();
    const [expected, program] = await runOn(createReferenceEngine(), { graph, dims, feeds, state }, 1);
    await program.dispose();
    for (const [name, { shape, data }] of Object.entries(expected)) {
      expect(actual[name]!.shape).toEqual(shape);
      data.forEach((value, i) => {
        expect(actual[name]!.data[i]).toBeCloseTo(value, dtype === 'float16' ? 1.5 : 4);
      });
    }
  },
);

/** A graph of one node over inputs of these shapes. */
function one<K extends OpKind>(kind: K, attrs: OpAttrs[K], ...shapes: (readonly number[])[]): Graph {
  const g = graphBuilder('one');
  const inputs = shapes.map((shape, i) => g.input(`x${i}`, shape));
  return g.build({ y: g.op(kind, 'node', inputs, attrs) });
}

test('the wasm engine refuses to normalize over several axes, naming the node', async () => {
  const wasm = await nodeWasmEngine();
  const g = graphBuilder('image');
  g.declare({ w: { shape: [3, 4], role: 'norm_weight' }, b: { shape: [3, 4], role: 'norm_bias' } });
  const attrs = { axis: 1, epsilon: 1e-5 };
  const y = g.op('LayerNormalization', 'norm', [g.input('x', [2, 3, 4])], attrs, { weight: 'w', bias: 'b' });
  const refusal = /^node "norm" \(LayerNormalization\): the wasm engine normalizes over the last axis only/;
  await expect(wasm.compile(g.build({ y }), { dims: {} })).rejects.toThrow(refusal);
});

const length = fc.integer({ min: 1, max: 5 });
const batch = fc.array(length, { maxLength: 3 });
/** Some of the last axes of a batch, some of them of length 1. */
const partOf = (shape: readonly number[], keep: number, ones: number): number[] =>
  shape.slice(Math.min(keep, shape.length)).map((size, axis) => ((ones >> axis) & 1 ? 1 : size));

async function agrees(graph: Graph): Promise<void> {
  const feeds = Object.fromEntries(graph.inputs.map(({ name, shape }, i) => [name, noise(shape as number[], i)]));
  await expectAgreement([ort], { graph, dims: {}, feeds, state: new Map() });
}

test('products broadcast as in ONNX Runtime', async () => {
  const bits = fc.tuple(fc.nat(3), fc.nat(7), fc.nat(3), fc.nat(7));
  const shapes = fc.tuple(batch, length, length, length, bits);
  const property = fc.asyncProperty(shapes, async ([axes, m, k, n, [keepA, onesA, keepB, onesB]]) => {
    const [a, b] = [
      [...partOf(axes, keepA, onesA), m, k],
      [...partOf(axes, keepB, onesB), k, n],
    ] as const;
    await agrees(one('MatMul', {}, a, b));
  });
  await fc.assert(property, { numRuns: 25, seed: 1 });
});

test('axes are turned as in ONNX Runtime, and turned back', async () => {
  const property = fc.asyncProperty(
    fc.array(length, { minLength: 1, maxLength: 5 }),
    fc.nat(1000),
    async (shape, seed) => {
      const perm = shape.map((_, axis) => axis).sort((a, b) => ((a * 7 + seed) % 11) - ((b * 7 + seed) % 11));
      const g = graphBuilder('two');
      const turned = g.op('Transpose', 'turned', [g.input('x', shape)], { perm });
      const back = g.op('Transpose', 'back', [turned], { perm: shape.map((_, axis) => perm.indexOf(axis)) });
      await agrees(g.build({ turned, back }));
    },
  );
  await fc.assert(property, { numRuns: 15, seed: 1 });
});

test('blocks go to channels and back as in ONNX Runtime', async () => {
  const property = fc.asyncProperty(
    length,
    length,
    length,
    fc.integer({ min: 1, max: 3 }),
    async (c, h, w, blocksize) => {
      const g = graphBuilder('two');
      const x = g.input('x', [2, c, h * blocksize, w * blocksize]);
      const deep = g.op('SpaceToDepth', 'deep', [x], { blocksize });
      await agrees(g.build({ deep, back: g.op('DepthToSpace', 'back', [deep], { blocksize }) }));
    },
  );
  await fc.assert(property, { numRuns: 10, seed: 1 });
});

test('multiply-adds of products and of linear layers over tokens are counted', () => {
  expect(cost(bind(one('MatMul', {}, [2, 1, 3, 4], [5, 4, 6]), {})).macs).toBe(2 * 5 * 3 * 4 * 6);
  const attention = cost(bind(tokenCases()[0]!.graph, { N: 2, T: 5 }));
  // qkv and proj; the heads' two products
  expect(attention.macs).toBe(2 * 5 * 12 * (36 + 12) + 2 * (2 * 3 * 5 * 5 * 4));
});

describe('shapes', () => {
  test.each([
    ['MatMul', one('MatMul', {}, [2, 3], [4, 3]), /rows of 3, columns of 4/],
    ['MatMul', one('MatMul', {}, [2, 3, 4], [3, 4, 5]), /\[2\] and \[3\] do not broadcast/],
    ['MatMul', one('MatMul', {}, [4], [4, 5]), /are no matrices/],
    ['Transpose', one('Transpose', { perm: [0, 2, 2] }, [2, 3, 4]), /does not name each axis of \[2, 3, 4\] once/],
    ['Reshape', one('Reshape', { shape: [-1, -1] }, [2, 3]), /only one length/],
    ['Reshape', one('Reshape', { shape: [4, -1] }, [2, 3]), /\[2, 3\] does not fit into \[4, -1\]/],
    ['Reshape', one('Reshape', { shape: [3, 3] }, [2, 3]), /\[2, 3\] does not fit into \[3, 3\]/],
    ['Reshape', one('Reshape', { shape: [6, 1, 0] }, [2, 3]), /no axis 2 to copy/],
    ['Reshape', one('Reshape', { shape: [0, 0] }, [2, 3], [3, 3]), /does not fit/],
    ['SpaceToDepth', one('SpaceToDepth', { blocksize: 2 }, [1, 3, 4, 5]), /image 4×5 does not divide into blocks of 2/],
    ['DepthToSpace', one('DepthToSpace', { blocksize: 2 }, [1, 6, 4, 5]), /6 channels do not divide/],
    ['LayerNormalization', one('LayerNormalization', { axis: 3, epsilon: 1e-5 }, [1, 6, 4]), /axis 3 is none/],
    ['Constant', one('Constant', { shape: [2], value: [1] }), /1 numbers are not the elements of \[2\]/],
  ] as const)('%s checks its input', (kind, graph, message) => {
    expect(() => bind(graph, {})).toThrow(message);
    expect(() => bind(graph, {})).toThrow(`node "node" (${kind})`);
  });

  test('a linear layer says what it expects', () => {
    const g = graphBuilder('net');
    g.declare({ w: { shape: [4, 3], role: 'weight' } });
    const y = g.op('Gemm', 'fc', [g.input('x', [2, 5, 4])], {}, { weight: 'w' });
    expect(() => bind(g.build({ y }), {})).toThrow('node "fc" (Gemm): input is [2, 5, 4], expected 3 features');
  });
});

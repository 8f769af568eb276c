/** Reshapes, transposes and what networks of tokens are made of, written as TFLite and run in LiteRT.js. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { toTflite } from '../../src/engine/tflite/to-tflite.ts';
import { type GraphBuilder, graphBuilder } from '../../src/graph/build.ts';
import { attended, attentionScores, layerNorm, linearLayer } from '../../src/models/zoo/tokens.ts';
import { rounds } from '../rounds.ts';
import { expectAgreement } from './cases/agreement.ts';
import { checkOn, liteRtEngine, operatorNames } from './cases/litert.ts';
import { lively, noise } from './cases/models.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await liteRtEngine();
});

/** What is done to a value of any shape, by numbers that choose how; it returns the value and its shape. */
type Move = (
  g: GraphBuilder,
  name: string,
  x: string,
  shape: readonly number[],
  choice: number,
) => [string, readonly number[]];

const MOVES: readonly Move[] = [
  (g, name, x, shape, choice) => {
    const perm = shape.map((_, axis) => axis).sort((a, b) => ((a * 7 + choice) % 5) - ((b * 7 + choice) % 5));
    return [g.op('Transpose', name, [x], { perm }), perm.map((axis) => shape[axis]!)];
  },
  // Two axes that stand side by side become one.
  (g, name, x, shape, choice) => {
    if (shape.length < 3) return [x, shape];
    const at = choice % (shape.length - 1);
    const joined = [...shape.slice(0, at), shape[at]! * shape[at + 1]!, ...shape.slice(at + 2)];
    return [g.op('Reshape', name, [x], { shape: joined }), joined];
  },
  (g, name, x, shape, choice) => {
    const at = shape.findIndex((size, axis) => size % 2 === 0 && axis >= choice % 3);
    if (shape.length > 4 || at < 0) return [x, shape];
    const parted = [...shape.slice(0, at), 2, shape[at]! / 2, ...shape.slice(at + 1)];
    return [g.op('Reshape', name, [x], { shape: parted }), parted];
  },
  (g, name, x, shape) => [g.op('Softmax', name, [x], {}), shape],
  (g, name, x, shape, choice) => {
    const axis = choice % shape.length;
    return [g.op('ReduceMean', name, [x], { axes: [axis], keepdims: true }), shape.map((n, i) => (i === axis ? 1 : n))];
  },
  (g, name, x, shape, choice) => {
    const axis = choice % shape.length;
    return [g.op('Concat', name, [x, x], { axis }), shape.map((n, i) => (i === axis ? 2 * n : n))];
  },
  (g, name, x, shape) => {
    const row = g.op('Constant', `${name}.row`, [], {
      shape: shape.slice(1),
      value: Array.from({ length: shape.slice(1).reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
    });
    return [g.op('Add', name, [row, x], {}), shape];
  },
  (g, name, x, shape) => {
    const column = g.op('Constant', `${name}.column`, [], { shape: [1, 3], value: [1, -2, 3] });
    const turned = g.op('Transpose', `${name}.turned`, [column], { perm: [1, 0] });
    const row = g.op('Reshape', `${name}.row`, [turned], { shape: [1, 3] });
    const product = g.op('MatMul', `${name}.outer`, [turned, row], {});
    const sum = g.op('ReduceMean', `${name}.sum`, [product], { axes: [0, 1], keepdims: false });
    return [g.op('Mul', name, [x, sum], {}), shape];
  },
  (g, name, x, shape, choice) => {
    if (shape.length < 2) return [x, shape];
    const perm = shape.map((_, axis) => axis);
    perm.splice(-2, 2, shape.length - 1, shape.length - 2);
    const turned = g.op('Transpose', `${name}.turned`, [x], { perm });
    const isLeft = choice % 2 === 0;
    const size = shape.at(isLeft ? -2 : -1)!;
    return [g.op('MatMul', name, isLeft ? [x, turned] : [turned, x], {}), [...shape.slice(0, -2), size, size]];
  },
  (g, name, x, shape) => [linearLayer(g, name, x, [shape.at(-1)!, 4]), [...shape.slice(0, -1), 4]],
];

describe('networks of tokens', () => {
  test('any reshapes and transposes, and what is computed between them', async () => {
    const moves = fc.array(fc.tuple(fc.nat(MOVES.length - 1), fc.nat(20)), { minLength: 1, maxLength: 8 });
    const images = fc.constantFrom([1, 2, 3, 4], [2, 4, 1, 6], [1, 6, 4, 1], [3, 2, 4]);
    await fc.assert(
      fc.asyncProperty(images, moves, async (image, chosen) => {
        await checkOn(engine, image, (g, x) => {
          let [y, shape]: [string, readonly number[]] = [x, image];
          const outputs: Record<string, string> = {};
          for (const [i, [move, choice]] of chosen.entries()) {
            [y, shape] = MOVES[move]!(g, `move${i}`, y, shape, choice);
            if (y !== x && i % 3 === 0) outputs[`y${i}`] = y;
          }
          return { ...outputs, y };
        });
      }),
      { numRuns: rounds(60) },
    );
  });

  test('patches become tokens without a TRANSPOSE, attention has one for each of q, k, v and the result', async () => {
    const g = graphBuilder('attention');
    const patches = g.conv('embed', g.input('input', ['N', 3, 8, 8]), 8, 3, {
      ...{ kernel_shape: [4, 4], strides: [4, 4], pads: [0, 0, 0, 0], dilations: [1, 1], group: 1 },
    });
    const rows = g.op('Reshape', 'rows', [patches], { shape: [0, 0, -1] });
    const tokens = layerNorm(g, 'norm', g.op('Transpose', 'tokens', [rows], { perm: [0, 2, 1] }), 8, 1e-6);
    const [q, k, v] = ['q', 'k', 'v'].map((name) => linearLayer(g, name, tokens, [8, 8])) as [string, string, string];
    const scores = attentionScores(g, 'attn', [q, k], { channels: 8, heads: 2 });
    const graph = g.build({ y: attended(g, 'attn', [scores, v], { channels: 8, heads: 2 }) });
    const one = { graph, dims: { N: 1 }, feeds: { input: noise([1, 3, 8, 8], 3) }, state: lively(graph, 3) };
    await expectAgreement([{ name: 'litert', engine, threads: 1 }], one);
    const names = operatorNames(await toTflite(graph, one.state, { dims: one.dims }));
    expect(names.indexOf('TRANSPOSE')).toBeGreaterThan(names.lastIndexOf('RSQRT'));
    expect(names.filter((name) => name === 'TRANSPOSE')).toHaveLength(4);
  });

  test('an input, or a value twice, as output', async () => {
    await checkOn(engine, [2, 3, 4], (g, x) => {
      const turned = g.op('Transpose', 'turned', [x], { perm: [0, 2, 1] });
      const back = g.op('Transpose', 'back', [turned], { perm: [0, 2, 1] });
      const fixed = g.op('Constant', 'fixed', [], { shape: [1, 3], value: [1, 2, 3] });
      return {
        turned,
        back,
        again: g.op('Transpose', 'again', [turned], { perm: [0, 1, 2] }),
        fixed,
        column: g.op('Transpose', 'column', [fixed], { perm: [1, 0] }),
      };
    });
  });
});

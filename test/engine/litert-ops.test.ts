/** Every op of inference written as TFLite, in LiteRT.js, against the float64 reference. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { toTflite } from '../../src/engine/tflite/to-tflite.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { ACTIVATIONS } from '../../src/models/zoo/activations.ts';
import { rounds } from '../rounds.ts';
import { expectAgreement } from './cases/agreement.ts';
import { inferenceCases, moreCases } from './cases/inference-ops.ts';
import { type Build, checkOn, liteRtEngine, operatorNames } from './cases/litert.ts';
import { type Case, lively, noise } from './cases/models.ts';
import { tokenCases } from './cases/token-ops.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await liteRtEngine();
});

const operatorsOf = async (graph: Graph, dims: Record<string, number>): Promise<string[]> =>
  operatorNames(await toTflite(graph, lively(graph, 1), { dims }));

/** Activations of ordinary ops, that of an image. */
const activationCases = (): Case[] =>
  Object.entries(ACTIVATIONS).map(([name, { build }]) => {
    const g = graphBuilder(name);
    const graph = g.build({ y: build(g, 'act', g.input('input', ['N', 16, 5, 4]), 16) });
    return { graph, dims: { N: 2 }, feeds: { input: noise([2, 16, 5, 4], 4) }, state: lively(graph, 6) };
  });

const named = [...inferenceCases(), ...moreCases(), ...tokenCases(), ...activationCases()].map((one) => ({
  ...one,
  name: `${one.graph.name}, ${one.graph.inputs[0]!.shape[1]} channels`,
}));

test.each(named)('$name', async (one) => {
  await expectAgreement([{ name: 'litert', engine, threads: 1 }], one);
});

describe('windows of any size, stride and padding', () => {
  const windows = fc
    .record({
      kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
      strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      pads: fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 2 }))),
      size: fc.tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 4, max: 9 })),
    })
    .map(({ kernel, strides, pads, size }) => ({
      attrs: {
        kernel_shape: kernel,
        strides,
        pads: pads.map((pad, i) => Math.min(pad, kernel[i % 2]! - 1)) as [number, number, number, number],
      },
      size,
    }));

  test('pooling', async () => {
    await fc.assert(
      fc.asyncProperty(windows, async ({ attrs, size }) => {
        await checkOn(engine, [1, 3, ...size], (g, x) => ({
          max: g.op('MaxPool', 'max', [x], attrs),
          relu: g.op('MaxPool', 'relu', [g.op('Relu', 'positive', [x], {})], attrs),
          mean: g.op('AveragePool', 'mean', [x], { ...attrs, count_include_pad: false }),
          zeros: g.op('AveragePool', 'zeros', [x], { ...attrs, count_include_pad: true }),
        }));
      }),
      { numRuns: rounds(20) },
    );
  });

  test('convolutions, with groups and dilations', async () => {
    const kinds = fc.record({
      dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
      group: fc.constantFrom(1, 2, 3, 6),
      multiplier: fc.integer({ min: 1, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(windows, kinds, async ({ attrs, size }, { dilations, group, multiplier }) => {
        await checkOn(engine, [1, 6, 4 + size[0], 4 + size[1]], (g, x) => ({
          y: g.conv('conv', x, 6 * multiplier, 6, { ...attrs, dilations, group }),
        }));
      }),
      { numRuns: rounds(20) },
    );
  });
});

test('activations inside of the operators before them, and bounds of any kind', async () => {
  const bounds = [
    [0, 6],
    [-1, 1],
    [0, Number.POSITIVE_INFINITY],
    [-2, Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY, 1.5],
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    [-0.5, 2],
  ] as const;
  const build: Build = (g, x) =>
    Object.fromEntries(
      bounds.map(([min, max], i) => {
        const sum = g.op('Add', `sum${i}`, [x, x], {});
        return [`y${i}`, g.op('Clip', `clip${i}`, [sum], { min, max })];
      }),
    );
  await checkOn(engine, [2, 3, 4, 5], build);
  const g = graphBuilder('clips');
  const graph = g.build(build(g, g.input('input', ['N', 3, 4, 5])));
  const names = await operatorsOf(graph, { N: 1 });
  expect(names.filter((name) => name !== 'ADD').sort()).toEqual(['MAXIMUM', 'MAXIMUM', 'MINIMUM', 'MINIMUM', 'MUL']);
});

describe('orders of axes', () => {
  test('means over any axes, and what is made of them', async () => {
    const axes = [[0], [1], [2], [3], [1, 2], [2, 3], [1, 3], [1, 2, 3]];
    await checkOn(engine, [2, 3, 4, 5], (g, x) =>
      Object.fromEntries(
        axes.flatMap((axes) =>
          [true, false].map((keepdims) => {
            const name = `mean${axes.join('')}${keepdims}`;
            const mean = g.op('ReduceMean', name, [x], { axes, keepdims });
            return [name, g.op('Sigmoid', `${name}.act`, [mean], {})];
          }),
        ),
      ),
    );
  });

  test('operands of fewer axes belong to the last ones', async () => {
    await checkOn(engine, [2, 3, 4, 5], (g, x) => {
      const mean = (name: string, axes: readonly number[]) => g.op('ReduceMean', name, [x], { axes, keepdims: false });
      const parts = { w: mean('w', [0, 1, 2]), hw: mean('hw', [0, 1]), chw: mean('chw', [0]) };
      const sums = Object.entries(parts).map(([name, part]) => [
        [name, g.op('Add', `${name}.sum`, [x, part], {})],
        [`${name}.first`, g.op('Mul', `${name}.product`, [part, x], {})],
        [`${name}.both`, g.op('Add', `${name}.both`, [part, parts.w], {})],
      ]);
      return Object.fromEntries(sums.flat());
    });
  });

  test('flattened images, softmax over rows, parts and sums of values in other orders', async () => {
    await checkOn(engine, [2, 4, 3, 5], (g, x) => {
      const soft = g.op('Softmax', 'soft', [x], {});
      const [first, second] = [0, 2].map((start) =>
        g.op('Slice', `part${start}`, [soft], { axis: 1, start, end: start + 2 }),
      ) as [string, string];
      const joined = g.op('Concat', 'joined', [second, first], { axis: 1 });
      const sum = g.op('Add', 'sum', [joined, x], {});
      return {
        flat: g.op('Flatten', 'flat', [x], {}),
        soft,
        sum,
        shuffled: g.op('ChannelShuffle', 'shuffled', [joined], { groups: 2 }),
        pooled: g.op('MaxPool', 'pooled', [soft], { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 0, 0] }),
        flatter: g.op('Flatten', 'flatter', [g.op('Flatten', 'once', [soft], {})], {}),
      };
    });
  });

  test('the same axis of matrices', async () => {
    await checkOn(engine, [3, 8], (g, x) => {
      const [a, b, c] = g.split('split', x, [3, 3, 2]) as [string, string, string];
      return { y: g.op('Concat', 'y', [c, a, b], { axis: 1 }), soft: g.op('Softmax', 'soft', [b], {}) };
    });
  });
});

test('in half precision, of weights that it holds', async () => {
  const g = graphBuilder('half');
  const x = g.input('input', [1, 6, 5, 5]);
  const attrs = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] } as const;
  const outputs = [1, 3, 6].map((group) => [`in${group}`, g.conv(`in${group}`, x, 6, 6, { ...attrs, group })]);
  const graph = g.build(Object.fromEntries(outputs));
  const state = new Map(
    [...lively(graph, 2)].map(([name, { shape, data }]) => [
      name,
      { shape, data: (data as Float32Array).map((value) => Math.round(value * 64) / 64) },
    ]),
  );
  const one = { graph, dims: {}, feeds: { input: noise([1, 6, 5, 5], 3) }, state };
  await expectAgreement([{ name: 'litert, fp16', engine: await liteRtEngine('fp16'), threads: 1 }], one);
});

test('an image network has neither TRANSPOSE nor RESHAPE, but for channels that are shuffled', async () => {
  const g = graphBuilder('block');
  const x = g.input('input', ['N', 8, 6, 6]);
  const [kept, other] = g.split('split', x, [4, 4]) as [string, string];
  const gate = g.op('HardSigmoid', 'gate', [g.op('GlobalAveragePool', 'pool', [other], {})], {});
  const joined = g.op('Concat', 'joined', [kept, g.op('Mul', 'gated', [gate, other], {})], { axis: 1 });
  const y = g.op('ChannelShuffle', 'shuffle', [joined], { groups: 2 });
  const flat = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'last', [y], {})], {});
  expect(await operatorsOf(g.build({ flat }), { N: 1 })).toEqual([
    'SPLIT',
    'MEAN',
    'ADD',
    'MUL',
    'MUL',
    'CONCATENATION',
    'RESHAPE',
    'TRANSPOSE',
    'RESHAPE',
    'MEAN',
  ]);
});

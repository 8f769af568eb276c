/** Depthwise outputs that are made again in the backward pass: the same bits, less memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Engine, loadState } from '../../src/engine/engine.ts';
import { nodeWasmEngine, type SimdBuild } from '../../src/engine/wasm/node.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { blockAttrs, mobileOne } from '../../src/models/mobileone.ts';
import type { Case } from './cases/models.ts';
import { stepCase } from './cases/models.ts';

interface Outcome {
  /** Everything that the program holds and returns, as bits. */
  readonly bits: ReadonlyMap<string, Int32Array>;
  readonly activations: number;
  readonly recomputed: boolean;
}

async function outcome(engine: Engine, one: Case, threads: number, recompute: 'never' | 'depthwise'): Promise<Outcome> {
  const { graph, dims, feeds, state } = one;
  const program = await engine.compile(graph, { dims, threads, recompute });
  loadState(program, state);
  await program.run(feeds);
  const results = Object.entries(await program.run(feeds));
  const gradients = Object.keys(graph.params).filter((name) => !name.includes('running_'));
  const names = [...program.stateNames, ...gradients.map((name) => `grad:${name}`)];
  const all = [...results, ...names.map((name) => [name, program.read(name)] as const)];
  const { activations, recomputed = false } = program.memory;
  await program.dispose();
  const bits = new Map(all.map(([name, { data }]) => [name, new Int32Array(Float32Array.from(data).buffer)]));
  return { bits, activations, recomputed };
}

/** Checks that recomputing changes no bit; returns how much of the memory is left. */
async function expectSameBits(engine: Engine, one: Case, threads: number): Promise<number> {
  const never = await outcome(engine, one, threads, 'never');
  const depthwise = await outcome(engine, one, threads, 'depthwise');
  expect([never.recomputed, depthwise.recomputed]).toEqual([false, true]);
  for (const [name, bits] of never.bits) if (!same(bits, depthwise.bits.get(name)!)) expect.fail(`${name} differs`);
  return depthwise.activations / never.activations;
}

const same = (a: Int32Array, b: Int32Array): boolean => a.every((value, i) => value === b[i]);

describe.each<SimdBuild>(['baseline', 'relaxed'])('%s build', (simd) => {
  test.each([1, 2])('random MobileOnes, few positions and many: the same bits (%i threads)', async (threads) => {
    const engine = await nodeWasmEngine({ simd });
    const property = fc.asyncProperty(
      fc.record({
        k: fc.integer({ min: 1, max: 3 }),
        se: fc.integer({ min: 0, max: 1 }),
        blocks: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({
        N: fc.integer({ min: 2, max: 5 }),
        H: fc.integer({ min: 33, max: 90 }),
        W: fc.integer({ min: 33, max: 90 }),
      }),
      fc.integer({ min: 0, max: 1000 }),
      async ({ k, se, blocks }, dims, seed) => {
        const model = mobileOne({
          depths: [1, blocks, 1, 1],
          widths: [0.3, 0.25, 0.2, 0.1],
          num_conv_branches: k,
          se_blocks: [0, se, 0, 1],
          rd_divisor: 8,
          num_classes: 5,
          in_chans: 3,
        });
        await expectSameBits(engine, stepCase(model, 5, dims, 3, seed), threads);
      },
    );
    await fc.assert(property, { numRuns: 6, seed: 3 });
  });
});

test('less memory for a deep network', async () => {
  const model = mobileOne({
    depths: [2, 4, 3, 1],
    widths: [0.5, 0.5, 0.25, 0.25],
    num_conv_branches: 2,
    se_blocks: [0, 0, 0, 0],
    rd_divisor: 8,
    num_classes: 5,
    in_chans: 3,
  });
  const left = await expectSameBits(await nodeWasmEngine(), stepCase(model, 5, { N: 8, H: 96, W: 96 }, 3, 1), 2);
  expect(left).toBeLessThan(0.85);
});

/** Depthwise convolutions in the places where copying them would go wrong if it were done without care. */
const PLACES = {
  'one right behind another': (g: Builder, x: string) =>
    relu(g, 'b', depthwise(g, 'b', relu(g, 'a', depthwise(g, 'a', x)))),
  'written over by the sum behind it': (g: Builder, x: string) => g.op('Add', 'sum', [depthwise(g, 'a', x), x], {}),
  'without an activation': (g: Builder, x: string) => depthwise(g, 'a', x),
  'read by two': (g: Builder, x: string) => {
    const y = relu(g, 'a', depthwise(g, 'a', x));
    return g.op('Add', 'sum', [y, g.repConv('side', y, blockAttrs(CHANNELS, CHANNELS, 1))], {});
  },
} satisfies Record<string, (g: Builder, x: string) => string>;

type Builder = ReturnType<typeof graphBuilder>;
const CHANNELS = 16;
const relu = (g: Builder, name: string, x: string): string => g.op('Relu', `${name}.act`, [x], {});
const depthwise = (g: Builder, name: string, x: string): string =>
  g.repConv(name, x, blockAttrs(CHANNELS, CHANNELS, 3, { groups: CHANNELS, num_conv_branches: 2 }));

function placed(place: keyof typeof PLACES): Case {
  const g = graphBuilder('placed');
  const stem = relu(g, 'stem', g.repConv('stem', g.input('input', ['N', 3, 'H', 'W']), blockAttrs(3, CHANNELS, 1)));
  const block = relu(g, 'pw', g.repConv('pw', PLACES[place](g, stem), blockAttrs(CHANNELS, 24, 1)));
  const pooled = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'pool', [block], {})], {});
  g.declare({ 'head.weight': { shape: [4, 24], role: 'weight' }, 'head.bias': { shape: [4], role: 'bias' } });
  const model = g.build({
    logits: g.op('Gemm', 'head', [pooled], {}, { weight: 'head.weight', bias: 'head.bias' }),
  });
  return stepCase(model, 4, { N: 3, H: 29, W: 31 }, 3, 9);
}

test.each(Object.keys(PLACES) as (keyof typeof PLACES)[])('a depthwise convolution %s', async (place) => {
  const engine = await nodeWasmEngine({ threads: 2 });
  const one = placed(place);
  const never = await outcome(engine, one, 2, 'never');
  const again = await outcome(engine, one, 2, 'depthwise');
  for (const [name, bits] of never.bits) if (!same(bits, again.bits.get(name)!)) expect.fail(`${name} differs`);
  expect(again.activations).toBeLessThanOrEqual(never.activations);
});

test('an output that is tapped is kept, and right', async () => {
  const engine = await nodeWasmEngine({ threads: 2 });
  const one = placed('read by two');
  const tapped = { ...one, graph: { ...one.graph, outputs: { ...one.graph.outputs, tap: 'a.act' } } };
  const [never, again] = [await outcome(engine, tapped, 2, 'never'), await outcome(engine, tapped, 2, 'depthwise')];
  for (const [name, bits] of never.bits) if (!same(bits, again.bits.get(name)!)) expect.fail(`${name} differs`);
  expect(never.bits.get('tap')!.some((value) => value !== 0)).toBe(true);
  expect(again.recomputed).toBe(false);
});

test('without a backward pass there is nothing to make again', async () => {
  const engine = await nodeWasmEngine({ threads: 1 });
  const model = mobileOne({
    depths: [1, 1, 1, 1],
    widths: [0.25, 0.25, 0.25, 0.25],
    num_conv_branches: 1,
    se_blocks: [0, 0, 0, 0],
    rd_divisor: 8,
    num_classes: 3,
    in_chans: 3,
  });
  const dims = { N: 2, H: 64, W: 64 };
  const plans = (['never', 'depthwise'] as const).map((recompute) => engine.plan!(model, { dims, recompute }));
  expect(plans[1]).toEqual(plans[0]);
});

/**
 * The wasm engine against the float64 reference: every op, whole steps, odd shapes, both builds, one and two threads.
 * One long matrix of cases, with the models and states they share.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { type Engine, loadState, type Program } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { makeWasmEngine } from '../../src/engine/wasm/engine.ts';
import { nodeWasmEngine, type SimdBuild } from '../../src/engine/wasm/node.ts';
import type { KernelExports } from '../../src/engine/wasm/platform.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { initialState } from '../../src/models/init.ts';
import { blockAttrs, mobileOne } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { type TrainStepOptions, trainStep } from '../../src/step/train-step.ts';

const TOLERANCE = 1e-4;
const BUILDS: readonly SimdBuild[] = ['baseline', 'relaxed', 'wide'];
const STEP: TrainStepOptions = { momentum: 0.9, nesterov: false, ema: true };

/** Random values of a shape; images like after a ReLU when `relu`. */
function noise(shape: readonly number[], seed: number, relu = false): Tensor {
  const rng = random(seed);
  const data = new Float32Array(sizeOf(shape)).map(() => {
    const value = rng.normal();
    return relu ? Math.max(0, value) : value;
  });
  return { shape, data };
}

/** A state in which nothing is at its neutral value. */
function lively(graph: Graph, seed: number): StateDict {
  const state = new Map(initialState(graph, seed));
  for (const [name, { role, shape }] of Object.entries(graph.params)) {
    const rng = random(seed, name.length);
    const around = role === 'norm_weight' || role === 'running_var' ? 1 : 0;
    if (role !== 'weight')
      state.set(name, { shape, data: new Float32Array(sizeOf(shape)).map(() => around + 0.3 * (rng.uniform() - 0.5)) });
  }
  return state;
}

/** Largest difference relative to the largest value. */
function relativeError(actual: Tensor, expected: Tensor): number {
  let difference = 0;
  let largest = 1e-12;
  for (let i = 0; i < expected.data.length; i++) {
    difference = Math.max(difference, Math.abs(actual.data[i]! - expected.data[i]!));
    largest = Math.max(largest, Math.abs(expected.data[i]!));
  }
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / largest;
}

interface Case {
  readonly graph: Graph;
  readonly dims: Record<string, number>;
  readonly feeds: Record<string, Tensor>;
  readonly state: StateDict;
  readonly steps?: number;
}

async function runOn(
  engine: Engine,
  { graph, dims, feeds, state, steps = 1 }: Case,
  threads: number,
): Promise<[Record<string, Tensor>, Program]> {
  const program = await engine.compile(graph, { dims, threads });
  loadState(program, state);
  for (const [name, value] of state)
    if (program.stateNames.includes(`ema:${name}`)) program.write(`ema:${name}`, value);
  let results: Record<string, Tensor> = {};
  for (let i = 0; i < steps; i++) results = await program.run(feeds);
  return [results, program];
}

/** Outputs, gradients and state of both engines agree. */
async function expectAgreement(wasm: Engine, one: Case, threads: number): Promise<void> {
  const [expected, reference] = await runOn(createReferenceEngine(), one, 1);
  const [actual, program] = await runOn(wasm, one, threads);
  for (const name of Object.keys(expected)) {
    expect(relativeError(actual[name]!, expected[name]!), `output ${name}`).toBeLessThan(TOLERANCE);
  }
  const trained = one.graph.nodes.some(({ kind }) => kind === 'Sgd');
  if (trained) {
    const gradients = Object.keys(one.graph.params).filter((name) => !name.includes('running_'));
    for (const name of [...program.stateNames, ...gradients.map((name) => `grad:${name}`)]) {
      expect(relativeError(program.read(name), reference.read(name)), name).toBeLessThan(TOLERANCE);
    }
  }
  await program.dispose();
  await reference.dispose();
}

const scalars = (values: Record<string, number>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { shape: [], data: Float32Array.of(value) }]),
  );

function stepCase(
  model: Graph,
  classes: number,
  dims: { N: number; H: number; W: number },
  channels: number,
  seed: number,
  options = STEP,
): Case {
  const target = Float32Array.from(noise([dims.N, classes], seed + 1).data, (v) => v * v + 0.01);
  for (let n = 0; n < dims.N; n++) {
    const row = target.subarray(n * classes, (n + 1) * classes);
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((v, i) => {
      row[i] = v / sum;
    });
  }
  return {
    graph: trainStep(model, classes, options),
    dims,
    feeds: {
      input: noise([dims.N, channels, dims.H, dims.W], seed),
      target: { shape: [dims.N, classes], data: target },
      ...scalars({ lr: 0.05, weight_decay: 1e-3, bn_momentum: 0.1, ema_decay: 0.9 }),
    },
    state: lively(model, seed),
  };
}

/** One RepConv between a stem-like convolution and a head, so that its input gradient is exercised too. */
function repConvModel(
  kernel: 1 | 3,
  channels: number,
  out: number,
  stride: 1 | 2,
  k: number,
  depthwise: boolean,
): Graph {
  const g = graphBuilder('one');
  const x = g.input('input', ['N', 3, 'H', 'W']);
  const stem = g.op('Relu', 'stem.act', [g.repConv('stem', x, blockAttrs(3, channels, 3, { stride: 1 }))], {});
  const outputs = depthwise ? channels : out;
  const attrs = blockAttrs(channels, outputs, kernel, {
    stride,
    num_conv_branches: k,
    ...(depthwise ? { groups: channels } : {}),
  });
  const y = g.op('Relu', 'block.act', [g.repConv('block', stem, attrs)], {});
  const pooled = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'pool', [y], {})], {});
  g.declare({ 'head.weight': { shape: [4, outputs], role: 'weight' }, 'head.bias': { shape: [4], role: 'bias' } });
  return g.build({ logits: g.op('Gemm', 'head', [pooled], {}, { weight: 'head.weight', bias: 'head.bias' }) });
}

describe.each(BUILDS)('%s build', (simd) => {
  describe.each([1, 2])('%i threads', (threads) => {
    test('depthwise RepConv: outputs, all gradients, statistics, any size', async () => {
      const wasm = await nodeWasmEngine({ simd });
      const cases = fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 19 }),
        fc.integer({ min: 1, max: 21 }),
        fc.constantFrom<1 | 2>(1, 2),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 0, max: 1000 }),
        async (channels, h, w, stride, k, n, seed) => {
          fc.pre(Math.ceil(h / stride) * Math.ceil(w / stride) * n > 8);
          const model = repConvModel(3, channels, channels, stride, k, true);
          await expectAgreement(wasm, stepCase(model, 4, { N: n, H: h, W: w }, 3, seed), threads);
        },
      );
      await fc.assert(cases, { numRuns: 25, seed: 1 });
    });

    // From two input channels on: the gradient of a lone weight before BatchNorm is nothing but ε and rounding.
    test('pointwise RepConv: outputs, all gradients, statistics, any channel count', async () => {
      const wasm = await nodeWasmEngine({ simd });
      const cases = fc.asyncProperty(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 0, max: 1000 }),
        async (channels, out, h, w, k, n, seed) => {
          const model = repConvModel(1, channels, out, 1, k, false);
          await expectAgreement(wasm, stepCase(model, 4, { N: n, H: h, W: w }, 3, seed), threads);
        },
      );
      await fc.assert(cases, { numRuns: 15, seed: 2 });
    });

    test('many positions: raw moments instead of centered rows', async () => {
      const wasm = await nodeWasmEngine({ simd });
      for (const [kernel, stride, depthwise] of [
        [1, 1, false],
        [3, 1, true],
        [3, 2, true],
      ] as const) {
        const model = repConvModel(kernel, 16, 24, stride, 2, depthwise);
        await expectAgreement(wasm, stepCase(model, 4, { N: 3, H: 37, W: 45 }, 3, 7), threads);
      }
    });

    test('a MobileOne with SE, any image size and number of input channels, three steps', async () => {
      const wasm = await nodeWasmEngine({ simd });
      const model = mobileOne({
        depths: [1, 2, 1, 1],
        widths: [0.3, 0.25, 0.2, 0.1],
        num_conv_branches: 2,
        se_blocks: [0, 1, 0, 1],
        rd_divisor: 8,
        num_classes: 5,
        in_chans: 4,
      });
      const one = stepCase(model, 5, { N: 6, H: 40, W: 37 }, 4, 3, { momentum: 0.9, nesterov: true, ema: true });
      await expectAgreement(wasm, { ...one, steps: 3 }, threads);
    });

    test('eval: train form branch by branch, uint8 input with the preprocessing inside', async () => {
      const wasm = await nodeWasmEngine({ simd });
      const model = mobileOne(
        {
          depths: [1, 1, 1, 1],
          widths: [0.3, 0.25, 0.2, 0.1],
          num_conv_branches: 3,
          se_blocks: [0, 0, 1, 0],
          rd_divisor: 8,
          num_classes: 7,
          in_chans: 3,
        },
        { features: true },
      );
      const graph = withPreprocess(model, { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
      const image = { shape: [2, 41, 38, 3], data: new Uint8Array(2 * 41 * 38 * 3).map((_, i) => (i * 7919) % 256) };
      await expectAgreement(
        wasm,
        { graph, dims: { N: 2, H: 41, W: 38 }, feeds: { image }, state: lively(model, 5) },
        threads,
      );
    });
  });
});

test('the same number of threads gives the same bits', async () => {
  const wasm = await nodeWasmEngine();
  const model = mobileOne({
    depths: [1, 1, 1, 1],
    widths: [0.5, 0.25, 0.25, 0.25],
    num_conv_branches: 4,
    se_blocks: [0, 0, 0, 0],
    rd_divisor: 8,
    num_classes: 10,
    in_chans: 3,
  });
  const one = { ...stepCase(model, 10, { N: 8, H: 64, W: 64 }, 3, 11), steps: 3 };
  const states = [];
  for (let i = 0; i < 2; i++) {
    const [, program] = await runOn(wasm, one, 2);
    states.push(program.stateNames.map((name) => program.read(name).data));
    await program.dispose();
  }
  expect(states[0]).toEqual(states[1]);
});

test('the tile, chosen by timing when a process starts, changes no bit', async () => {
  await nodeWasmEngine(); // lets this process compile relaxed SIMD
  const module = new WebAssembly.Module(readFileSync(new URL('../../dist/kernels/relaxed.wasm', import.meta.url)));
  const withTile = (rows: 4 | 6): Engine =>
    makeWasmEngine(
      {
        description: 'test',
        tuning: `${rows}×8 tile`,
        async start(memory) {
          const { exports } = new WebAssembly.Instance(module, { env: { memory } });
          const { run, setTile } = exports as unknown as KernelExports;
          setTile(rows);
          return { run: (list, count) => run(list, count, 0, 1), dispose: async () => {} };
        },
      },
      1,
    );
  const model = mobileOne({
    depths: [1, 1, 1, 1],
    widths: [0.3, 0.25, 0.4, 0.25],
    num_conv_branches: 2,
    se_blocks: [0, 0, 1, 0],
    rd_divisor: 8,
    num_classes: 7,
    in_chans: 3,
  });
  const one = { ...stepCase(model, 7, { N: 7, H: 45, W: 51 }, 3, 13), steps: 2 };
  const states = [];
  for (const rows of [4, 6] as const) {
    const [, program] = await runOn(withTile(rows), one, 1);
    states.push(program.stateNames.map((name) => program.read(name).data));
  }
  expect(states[0]).toEqual(states[1]);
});

test('refuses what it cannot run, naming the node', async () => {
  const wasm = await nodeWasmEngine();
  const g = graphBuilder('grouped');
  const x = g.input('input', ['N', 4, 'H', 'W']);
  const attrs = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 2 } as const;
  const graph = g.build({ y: g.conv('odd', x, 4, 4, attrs) });
  await expect(wasm.compile(graph, { dims: { N: 1, H: 8, W: 8 } })).rejects.toThrow(/"odd".*2 groups/);
});

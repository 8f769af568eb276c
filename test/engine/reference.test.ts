/** The reference engine against first principles: finite differences and numbers worked out by hand. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashText, random } from '../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { loadState, type Program } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { type Graph, isLearnable } from '../../src/graph/graph.ts';
import { blockAttrs, mobileOne } from '../../src/models/mobileone.ts';
import { trainMode, trainStep } from '../../src/step/train-step.ts';

const engine = createReferenceEngine();
const scalar = (value: number): Tensor => ({ shape: [], data: Float64Array.of(value) });

function noise(shape: readonly number[], seed: number): Tensor {
  const rng = random(seed);
  return { shape, data: new Float64Array(sizeOf(shape)).map(() => rng.normal()) };
}

/** A state in which nothing is at its neutral value, so that no gradient vanishes. */
function lively(graph: Graph, seed: number): StateDict {
  return new Map(
    Object.entries(graph.params).map(([name, { role, shape }]) => {
      const rng = random(seed, hashText(name));
      const around = role === 'norm_weight' || role === 'running_var' ? 1 : 0;
      return [name, { shape, data: new Float64Array(sizeOf(shape)).map(() => around + 0.8 * (rng.uniform() - 0.5)) }];
    }),
  );
}

/** A small soft target: rows add up to one. */
function softTarget(n: number, classes: number): Tensor {
  const at = (i: number): number => (i % classes === Math.floor(i / classes) % classes ? 0.8 : 0.2 / (classes - 1));
  return { shape: [n, classes], data: Float64Array.from({ length: n * classes }, (_, i) => at(i)) };
}

/**
 * Moves each learnable parameter of a step graph along a random direction and compares the change of the loss (central
 * difference) with the gradient. Returns the worst error relative to the gradient's length, and where it is.
 */
async function worstDirectional(
  step: Graph,
  { dims, feeds, state }: { dims: Record<string, number>; feeds: Record<string, Tensor>; state: StateDict },
): Promise<{ error: number; name: string; checked: number }> {
  const forward: Graph = {
    ...step,
    nodes: step.nodes.slice(0, step.nodes.findIndex(({ name }) => name === 'loss') + 1),
  };
  const [whole, lossOnly] = [await engine.compile(step, { dims }), await engine.compile(forward, { dims })];
  loadState(whole, state);
  loadState(lossOnly, state);
  await whole.run(feeds);
  const names = Object.keys(step.params).filter((name) => isLearnable(step.params[name]!));
  const h = 1e-6;
  let worst = { error: 0, name: '' };
  for (const name of names) {
    const value = state.get(name)!;
    const rng = random(7, hashText(name));
    const direction = Float64Array.from(value.data, () => (rng.int(2) ? 1 : -1));
    const lossAt = async (by: number): Promise<number> => {
      lossOnly.write(name, {
        shape: value.shape,
        data: Float64Array.from(value.data, (v, i) => v + by * direction[i]!),
      });
      return (await lossOnly.run(feeds)).loss!.data[0]!;
    };
    const numeric = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
    lossOnly.write(name, value);
    const gradient = whole.read(`grad:${name}`).data as Float64Array;
    const along = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
    const error = Math.abs(numeric - along) / (Math.hypot(...gradient) + 1e-4);
    if (!(error <= worst.error)) worst = { error, name };
  }
  return { ...worst, checked: names.length };
}

const stepFeeds = { lr: scalar(0), weight_decay: scalar(0), bn_momentum: scalar(0.1) };
const STILL = { momentum: 0, nesterov: false, ema: false };

test('every gradient of a MobileOne with SE, stride 2 and any size agrees with finite differences', async () => {
  const sizes = fc.integer({ min: 17, max: 26 });
  const property = fc.asyncProperty(
    sizes,
    sizes,
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: 99 }),
    async (H, W, k, seed) => {
      const model = mobileOne({
        depths: [1, 2, 1, 1],
        widths: [0.05, 0.04, 0.02, 0.01],
        num_conv_branches: k,
        se_blocks: [0, 1, 0, 0],
        rd_divisor: 2,
        num_classes: 3,
        in_chans: 2,
      });
      const feeds = { ...stepFeeds, input: noise([6, 2, H, W], seed), target: softTarget(6, 3) };
      const step = trainStep(model, 3, STILL);
      const worst = await worstDirectional(step, { dims: { N: 6, H, W }, feeds, state: lively(model, seed) });
      expect(worst.checked).toBeGreaterThan(60);
      expect(worst.error, worst.name).toBeLessThan(1e-5);
    },
  );
  await fc.assert(property, { numRuns: 3, seed: 5 });
});

test('a value used twice gets the sum of its gradients, also where both inputs of one Add are', async () => {
  const g = graphBuilder('twice');
  const x = g.input('input', ['N', 2]);
  const linear = (name: string, value: string, inputs: number): string => {
    g.declare({
      [`${name}.weight`]: { shape: [3, inputs], role: 'weight' },
      [`${name}.bias`]: { shape: [3], role: 'bias' },
    });
    return g.op('Gemm', name, [value], {}, { weight: `${name}.weight`, bias: `${name}.bias` });
  };
  const [a, b] = [linear('a', x, 2), linear('b', x, 2)];
  const sum = g.op('Add', 'sum', [a, b], {});
  const square = g.op('Mul', 'square', [a, a], {});
  const rest = g.op('Add', 'rest', [g.op('Sigmoid', 'gate', [b], {}), square], {});
  const logits = g.op('Add', 'all', [g.op('Add', 'both', [sum, rest], {}), linear('c', sum, 3)], {});
  const model = g.build({ logits });
  const feeds = { ...stepFeeds, input: noise([4, 2], 1), target: softTarget(4, 3) };
  const worst = await worstDirectional(trainStep(model, 3, STILL), { dims: { N: 4 }, feeds, state: lively(model, 2) });
  expect(worst.error, worst.name).toBeLessThan(1e-7);
});

test('train mode normalizes by the batch (biased) and keeps running statistics (unbiased); eval mode uses those', async () => {
  const g = graphBuilder('norm');
  const attrs = blockAttrs(1, 1, 1, { num_conv_branches: 0 });
  const model = g.build({ y: g.repConv('block', g.input('input', ['N', 1, 'H', 'W']), attrs) });
  const names = { weight: 2, bias: 0.5, running_mean: 10, running_var: 4 };
  const dims = { N: 2, H: 1, W: 2 };
  const input = { shape: [2, 1, 1, 2], data: Float64Array.of(1, 2, 3, 6) }; // mean 3, variance 3.5 or, unbiased, 14/3
  const start = async (graph: Graph): Promise<Program> => {
    const program = await engine.compile(graph, { dims });
    for (const [role, value] of Object.entries(names))
      program.write(`block.identity.${role}`, { shape: [1], data: Float64Array.of(value) });
    return program;
  };
  const near = (actual: Tensor, expected: number[]): void => {
    expect(actual.data).toHaveLength(expected.length);
    expected.forEach((value, i) => {
      expect(actual.data[i]).toBeCloseTo(value, 12);
    });
  };
  const scale = (value: number, mean: number, variance: number): number =>
    (2 * (value - mean)) / Math.sqrt(variance + 1e-5) + 0.5;

  const training = await start(trainMode(model));
  const { y } = await training.run({ input, bn_momentum: scalar(0.25) });
  near(
    y!,
    [1, 2, 3, 6].map((value) => scale(value, 3, 3.5)),
  );
  near(training.read('block.identity.running_mean'), [0.75 * 10 + 0.25 * 3]);
  near(training.read('block.identity.running_var'), [0.75 * 4 + (0.25 * 14) / 3]);

  const evaluating = await start(model);
  near(
    (await evaluating.run({ input })).y!,
    [1, 2, 3, 6].map((value) => scale(value, 10, 4)),
  );
  near(evaluating.read('block.identity.running_mean'), [10]);
});

test('preprocessing goes from bytes [N, H, W, C] to normalized [N, C, H, W]; softmax and loss bear huge logits', async () => {
  const g = graphBuilder('ends');
  const planes = g.op('Preprocess', 'pre', [g.input('image', ['N', 1, 2, 2], 'uint8')], {
    mean: [0.5, 0.2],
    std: [0.5, 0.1],
  });
  const logits = g.input('logits', ['N', 3]);
  const target = g.input('target', ['N', 3]);
  const graph = g.build({
    planes,
    probabilities: g.op('Softmax', 'softmax', [logits], {}),
    loss: g.op('SoftmaxCrossEntropyLoss', 'loss', [logits, target], {}),
  });
  const program = await engine.compile(graph, { dims: { N: 2 } });
  const results = await program.run({
    image: { shape: [2, 1, 2, 2], data: Uint8Array.of(0, 255, 51, 102, 255, 0, 153, 204) },
    logits: { shape: [2, 3], data: Float64Array.of(1000, 0, 1000, 0, 0, 0) },
    target: { shape: [2, 3], data: Float64Array.of(0, 1, 0, 1, 0, 0) },
  });
  const expected = [-1, -0.6, 8, 2, 1, 0.2, -2, 6]; // image 0: red 0, 51; green 255, 102; then image 1
  expected.forEach((value, i) => {
    expect(results.planes!.data[i]).toBeCloseTo(value, 12);
  });
  expect(results.planes!.shape).toEqual([2, 2, 1, 2]);
  expect([...results.probabilities!.data].map((p) => Number(p.toFixed(12)))).toEqual(
    [0.5, 0, 0.5, 1 / 3, 1 / 3, 1 / 3].map((p) => Number(p.toFixed(12))),
  );
  expect(results.loss!.data[0]).toBeCloseTo((1000 + Math.log(2) + Math.log(3)) / 2, 9);
});

test.each([false, true])('SGD with momentum, decay and EMA as written by hand (nesterov: %s)', async (nesterov) => {
  const g = graphBuilder('linear');
  const x = g.input('input', ['N', 1]);
  g.declare({ w: { shape: [2, 1], role: 'weight' }, b: { shape: [2], role: 'bias' } });
  const model = g.build({ logits: g.op('Gemm', 'fc', [x], {}, { weight: 'w', bias: 'b' }) });
  const program = await engine.compile(trainStep(model, 2, { momentum: 0.9, nesterov, ema: true }), { dims: { N: 1 } });
  const start = { w: [0.5, -0.25], b: [0.1, 0.2] };
  for (const name of ['w', 'b'] as const) {
    const value = { shape: name === 'w' ? [2, 1] : [2], data: Float64Array.from(start[name]) };
    program.write(name, value);
    program.write(`ema:${name}`, value);
  }
  const state = { w: [...start.w], b: [...start.b], mw: [0, 0], mb: [0, 0], ew: [...start.w], eb: [...start.b] };
  const feeds = {
    input: { shape: [1, 1], data: Float64Array.of(2) },
    target: { shape: [1, 2], data: Float64Array.of(1, 0) },
  };
  for (let step = 0; step < 3; step++) {
    await program.run({
      ...feeds,
      lr: scalar(0.1),
      weight_decay: scalar(0.01),
      bn_momentum: scalar(0.1),
      ema_decay: scalar(0.8),
    });
    const logits = state.w.map((w, i) => 2 * w + state.b[i]!);
    const p0 = 1 / (1 + Math.exp(logits[1]! - logits[0]!));
    const dlogits = [p0 - 1, 1 - p0];
    for (let i = 0; i < 2; i++) {
      const gw = 2 * dlogits[i]! + 0.01 * state.w[i]!;
      const gb = dlogits[i]!;
      state.mw[i] = 0.9 * state.mw[i]! + gw;
      state.mb[i] = 0.9 * state.mb[i]! + gb;
      state.w[i]! -= 0.1 * (nesterov ? gw + 0.9 * state.mw[i]! : state.mw[i]!);
      state.b[i]! -= 0.1 * (nesterov ? gb + 0.9 * state.mb[i]! : state.mb[i]!);
      state.ew[i] = 0.8 * state.ew[i]! + 0.2 * state.w[i]!;
      state.eb[i] = 0.8 * state.eb[i]! + 0.2 * state.b[i]!;
    }
  }
  const near = (name: string, values: number[]): void => {
    program.read(name).data.forEach((value, i) => {
      expect(value, name).toBeCloseTo(values[i]!, 12);
    });
  };
  near('w', state.w);
  near('b', state.b);
  near('momentum:w', state.mw);
  near('ema:w', state.ew);
  near('ema:b', state.eb);
});

test('a missing, unknown or misshapen input is named', async () => {
  const model = mobileOne({
    depths: [1, 1, 1, 1],
    widths: [0.05, 0.04, 0.02, 0.01],
    num_conv_branches: 1,
    se_blocks: [0, 0, 0, 0],
    rd_divisor: 8,
    num_classes: 2,
    in_chans: 3,
  });
  const program = await engine.compile(model, { dims: { N: 1, H: 16, W: 16 } });
  await expect(program.run({})).rejects.toThrow(/input "input" is missing/);
  await expect(program.run({ input: noise([1, 3, 16, 15], 1) })).rejects.toThrow(/expected \[1, 3, 16, 16\]/);
  const transposed = { ...noise([1, 3, 16, 16], 1), shape: [1, 16, 16, 3] };
  await expect(program.run({ input: transposed })).rejects.toThrow(/has shape \[1, 16, 16, 3\], expected/);
  await expect(program.run({ input: noise([1, 3, 16, 16], 1), x: scalar(1) })).rejects.toThrow(/no input "x"/);
  expect(() => program.write('stem.conv_scale.bn.weight', scalar(1))).toThrow(/has shape \[\], expected \[3\]/);
  expect(() => program.read('nothing')).toThrow(/no state named "nothing"/);
});

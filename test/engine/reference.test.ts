/** The reference engine against first principles: finite differences, hand-written updates, PyTorch's conventions. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { grad } from '../../src/autodiff/grad.ts';
import { random } from '../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { loadState, type Program } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { initialState } from '../../src/models/init.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { trainStep } from '../../src/step/train-step.ts';

const engine = createReferenceEngine();
const scalar = (value: number): Tensor => ({ shape: [], data: Float64Array.of(value) });

function noise(shape: readonly number[], seed: number): Tensor {
  const rng = random(seed);
  return { shape, data: new Float64Array(sizeOf(shape)).map(() => rng.normal()) };
}

async function compileWith(graph: Graph, dims: Record<string, number>, model: Graph, seed: number): Promise<Program> {
  const program = await engine.compile(graph, { dims });
  loadState(program, initialState(model, seed));
  return program;
}

test('gradients of a MobileOne with SE agree with finite differences, any size', async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 17, max: 24 }),
    fc.integer({ min: 17, max: 24 }),
    fc.integer({ min: 0, max: 99 }),
    async (H, W, seed) => {
      const model = mobileOne({
        depths: [1, 1, 1, 1],
        widths: [0.05, 0.04, 0.02, 0.01],
        num_conv_branches: 2,
        se_blocks: [0, 1, 0, 0],
        rd_divisor: 2,
        num_classes: 3,
        in_chans: 2,
      });
      const dims = { N: 5, H, W };
      const program = await compileWith(
        trainStep(model, 3, { momentum: 0, nesterov: false, ema: false }),
        dims,
        model,
        seed,
      );
      const target = {
        shape: [5, 3],
        data: Float64Array.from({ length: 15 }, (_, i) => (i % 3 === (i >> 2) % 3 ? 0.8 : 0.1)),
      };
      const feeds = {
        input: noise([5, 2, H, W], seed),
        target,
        lr: scalar(0),
        weight_decay: scalar(0),
        bn_momentum: scalar(0.1),
      };
      const lossOf = async (): Promise<number> => (await program.run(feeds)).loss!.data[0]!;
      await lossOf();
      const names = Object.keys(model.params).filter((name) => !name.includes('running_'));
      const rng = random(seed, 1);
      for (let i = 0; i < 12; i++) {
        const name = names[rng.int(names.length)]!;
        await lossOf();
        const gradient = program.read(`grad:${name}`).data;
        const value = program.read(name);
        const at = rng.int(gradient.length);
        const step = 1e-6;
        const moved = async (by: number): Promise<number> => {
          const data = Float64Array.from(value.data);
          data[at]! += by;
          program.write(name, { shape: value.shape, data });
          return lossOf();
        };
        const numeric = ((await moved(step)) - (await moved(-step))) / (2 * step);
        program.write(name, value);
        expect(Math.abs(numeric - gradient[at]!), name).toBeLessThan(1e-5 * (1 + Math.abs(numeric)));
      }
    },
  );
  await fc.assert(property, { numRuns: 2, seed: 5 });
});

test('a value used twice gets the sum of its gradients', async () => {
  const g = graphBuilder('twice');
  const x = g.input('x', ['N', 2]);
  g.declare({
    w: { shape: [3, 2], role: 'weight' },
    b: { shape: [3], role: 'bias' },
    v: { shape: [3, 3], role: 'weight' },
    c: { shape: [3], role: 'bias' },
  });
  const hidden = g.op('Gemm', 'hidden', [x], {}, { weight: 'w', bias: 'b' });
  const sum = g.op('Add', 'sum', [hidden, g.op('Gemm', 'again', [hidden], {}, { weight: 'v', bias: 'c' })], {});
  const loss = g.op('SoftmaxCrossEntropyLoss', 'loss', [sum, g.input('target', ['N', 3])], {});
  const graph = grad(g.build({ loss }), 'loss');
  const program = await engine.compile(graph, { dims: { N: 4 } });
  for (const name of ['w', 'b', 'v', 'c']) program.write(name, noise(program.read(name).shape, name.charCodeAt(0)));
  const feeds = { x: noise([4, 2], 1), target: { shape: [4, 3], data: new Float64Array(12).fill(1 / 3) } };
  const lossOf = async (): Promise<number> => (await program.run(feeds)).loss!.data[0]!;
  await lossOf();
  const gradient = program.read('grad:w').data[1]!;
  const w = program.read('w');
  const moved = async (by: number): Promise<number> => {
    program.write('w', {
      shape: w.shape,
      data: Float64Array.from(w.data, (value, i) => (i === 1 ? value + by : value)),
    });
    return lossOf();
  };
  expect(((await moved(1e-6)) - (await moved(-1e-6))) / 2e-6).toBeCloseTo(gradient, 7);
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
  await expect(program.run({ input: noise([1, 3, 16, 16], 1), x: scalar(1) })).rejects.toThrow(/no input "x"/);
  expect(() => program.read('nothing')).toThrow(/no state named "nothing"/);
});

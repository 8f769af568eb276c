/** Optimizers of the training step: PyTorch's numbers, the formula on every weight, learning, and going on with the same bits. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { scalar, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { loadState, readState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { type Graph, isDecayed, isLearnable } from '../../src/graph/graph.ts';
import { initialState } from '../../src/models/init.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import type { OptimizerOptions } from '../../src/step/optimizers.ts';
import { trainStep } from '../../src/step/train-step.ts';
import { GOLDEN_ENGINES } from '../golden/engines.ts';

interface TorchCase {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly start: Readonly<Record<string, Nested>>;
  readonly steps: readonly {
    readonly input: Nested;
    readonly target: Nested;
    readonly lr: number;
    readonly weight_decay: number;
    readonly loss: number;
    readonly after: Readonly<Record<string, Nested>>;
  }[];
}

type Nested = number | readonly Nested[];

/** Nested lists as a tensor of float64. */
function fromLists(lists: Nested): Tensor {
  const shape: number[] = [];
  for (let at = lists; Array.isArray(at); at = at[0]) shape.push(at.length);
  const flat = (at: Nested): readonly number[] => (typeof at === 'number' ? [at] : at.flatMap(flat));
  return { shape, data: Float64Array.from(flat(lists)) };
}

const golden = JSON.parse(readFileSync(new URL('../golden/adamw.json', import.meta.url), 'utf8')) as {
  cases: TorchCase[];
};

function linearClassifier(): Graph {
  const g = graphBuilder('linear');
  const x = g.input('input', ['N', 5]);
  g.declare({ weight: { shape: [3, 5], role: 'weight' }, bias: { shape: [3], role: 'bias' } });
  return g.build({ logits: g.op('Gemm', 'fc', [x], {}, { weight: 'weight', bias: 'bias' }) });
}

describe.each(GOLDEN_ENGINES)('AdamW on $name', ({ open, float32 }) => {
  test.each(golden.cases)('five steps as torch.optim.AdamW makes them (epsilon $epsilon)', async (one) => {
    const { beta1, beta2, epsilon, start, steps } = one;
    const graph = trainStep(linearClassifier(), 3, { optimizer: 'adamw', beta1, beta2, epsilon, ema: false });
    const program = await (await open()).compile(graph, { dims: { N: 4 } });
    const missing = loadState(program, new Map(Object.entries(start).map(([name, lists]) => [name, fromLists(lists)])));
    expect(missing.sort()).toEqual(['exp_avg:bias', 'exp_avg:weight', 'exp_avg_sq:bias', 'exp_avg_sq:weight']);
    for (const [i, { input, target, lr, weight_decay, loss, after }] of steps.entries()) {
      const results = await program.run({
        input: fromLists(input),
        target: fromLists(target),
        bn_momentum: scalar(0.1),
        lr: scalar(lr),
        weight_decay: scalar(weight_decay),
        step: scalar(i + 1),
      });
      expect(results.loss!.data[0]).toBeCloseTo(loss, float32 ? 5 : 13);
      for (const [name, lists] of Object.entries(after)) {
        const { shape, data } = fromLists(lists);
        const actual = program.read(name);
        expect(actual.shape).toEqual(shape);
        const largest = Math.max(...data.map(Math.abs));
        data.forEach((value, j) => {
          expect(Math.abs(actual.data[j]! - value) / largest, `${name} after step ${i + 1}`).toBeLessThan(
            float32 ? 2e-6 : 1e-13,
          );
        });
      }
    }
    await program.dispose();
  });
});

const MODEL = mobileOne({
  depths: [1, 2, 1, 1],
  widths: [0.3, 0.25, 0.2, 0.1],
  num_conv_branches: 2,
  se_blocks: [0, 1, 0, 0],
  rd_divisor: 8,
  num_classes: 5,
  in_chans: 3,
});

/** One weight's update from its gradient and state, in float64: the new weight and state. */
type Formula = (
  values: Readonly<Record<string, number>>,
  rates: { lr: number; decay: number; step: number },
) => Record<string, number>;

const FORMULAS: readonly { name: string; options: OptimizerOptions; formula: Formula }[] = [
  ...[false, true].map((nesterov) => ({
    name: nesterov ? 'nesterov' : 'sgd',
    options: { momentum: 0.75, nesterov } as const,
    formula: (({ param, grad, momentum }, { lr, decay }) => {
      const g = grad! + decay * param!;
      const buffer = 0.75 * momentum! + g;
      return { param: param! - lr * (nesterov ? g + 0.75 * buffer : buffer), momentum: buffer };
    }) satisfies Formula,
  })),
  {
    name: 'adamw',
    options: { optimizer: 'adamw', beta1: 0.75, beta2: 0.875, epsilon: 1e-4 },
    formula: ({ param, grad, exp_avg, exp_avg_sq }, { lr, decay, step }) => {
      const m = 0.75 * exp_avg! + 0.25 * grad!;
      const v = 0.875 * exp_avg_sq! + 0.125 * grad! ** 2;
      const direction = m / (1 - 0.75 ** step) / (Math.sqrt(v / (1 - 0.875 ** step)) + 1e-4);
      return { param: param! * (1 - lr * decay) - lr * direction, exp_avg: m, exp_avg_sq: v };
    },
  },
];

describe.each(FORMULAS)('$name', ({ options, formula }) => {
  test.each(GOLDEN_ENGINES)('updates every weight of a MobileOne by its formula: $name', async ({ open, float32 }) => {
    const program = await (await open()).compile(trainStep(MODEL, 5, { ...options, ema: true }), {
      dims: { N: 4, H: 37, W: 33 },
    });
    loadState(program, initialState(MODEL, 3));
    const learnable = Object.keys(MODEL.params).filter((name) => isLearnable(MODEL.params[name]!));
    for (const name of learnable) program.write(`ema:${name}`, program.read(name));
    const rng = random(4);
    const target = new Float32Array(4 * 5).fill(0.2);
    const rates = { lr: 0.0625, decay: 0.125 };
    for (let step = 1; step <= 3; step++) {
      const before = readState(program);
      const input = { shape: [4, 3, 37, 33], data: new Float32Array(4 * 3 * 37 * 33).map(() => rng.normal()) };
      target.forEach((_, i) => {
        target[i] = i % 5 === (i / 5 + step) % 5 ? 0.8 : 0.05;
      });
      await program.run({
        input,
        target: { shape: [4, 5], data: target },
        lr: scalar(rates.lr),
        weight_decay: scalar(rates.decay),
        bn_momentum: scalar(0.1),
        ema_decay: scalar(0.75),
        ...('optimizer' in options ? { step: scalar(step) } : {}),
      });
      const prefixes = [
        ...new Set(program.stateNames.filter((name) => name.includes(':')).map((n) => n.split(':')[0]!)),
      ];
      for (const name of learnable) {
        const grad = program.read(`grad:${name}`).data;
        const decay = isDecayed(MODEL.params[name]!) ? rates.decay : 0;
        const places = ['param', ...prefixes.filter((prefix) => prefix !== 'ema')];
        const nameOf = (place: string): string => (place === 'param' ? name : `${place}:${name}`);
        const old = places.map((place) => before.get(nameOf(place))!.data);
        const now = places.map((place) => program.read(nameOf(place)).data);
        const average = program.read(`ema:${name}`).data;
        // One object for all weights: there are many.
        const values: Record<string, number> = {};
        const ratesNow = { ...rates, decay, step };
        const unit = float32 ? 2 ** -21 : 2 ** -48;
        for (let i = 0; i < sizeOf(MODEL.params[name]!.shape); i++) {
          places.forEach((place, j) => {
            values[place] = old[j]![i]!;
          });
          values.grad = grad[i]!;
          const expected = formula(values, ratesNow);
          places.forEach((place, j) => {
            // Relative to what was added up: a sum near zero is as good as its terms.
            const scale = Math.abs(values[place]!) + Math.abs(expected[place]!) + (place === 'param' ? rates.lr : 0);
            const error = Math.abs(now[j]![i]! - expected[place]!);
            if (error > unit * scale) expect.fail(`${place} ${name}[${i}] is off by ${error} after step ${step}`);
          });
          const [e, w] = [before.get(`ema:${name}`)!.data[i]!, now[0]![i]!];
          const error = Math.abs(average[i]! - (0.75 * e + 0.25 * w));
          if (error > unit * (Math.abs(e) + Math.abs(w))) expect.fail(`ema ${name}[${i}] is off by ${error}`);
        }
      }
    }
    await program.dispose();
  });
});

test('the numbers of threads that share the update change no bit of it', async () => {
  const step = trainStep(linearClassifier(), 3, {
    optimizer: 'adamw',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    ema: true,
  });
  const states = [];
  for (const threads of [1, 2, 3]) {
    const program = await (await nodeWasmEngine({ threads })).compile(step, { dims: { N: 1 } });
    program.write('weight', { shape: [3, 5], data: Float32Array.from({ length: 15 }, (_, i) => Math.sin(i)) });
    for (let t = 1; t <= 3; t++)
      await program.run({
        input: { shape: [1, 5], data: Float32Array.of(1, -2, 3, 0.5, -0.25) },
        target: { shape: [1, 3], data: Float32Array.of(1, 0, 0) },
        lr: scalar(0.01),
        weight_decay: scalar(0.05),
        bn_momentum: scalar(0.1),
        ema_decay: scalar(0.9),
        step: scalar(t),
      });
    states.push(program.stateNames.map((name) => program.read(name).data));
    await program.dispose();
  }
  expect(states[1]).toEqual(states[0]);
  expect(states[2]).toEqual(states[0]);
});

test('an epsilon of zero and betas beyond one are refused, naming the node', async () => {
  const engine = createReferenceEngine();
  const compile = (options: object): Promise<unknown> =>
    engine.compile(
      trainStep(linearClassifier(), 3, {
        ...{ optimizer: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, ema: false },
        ...options,
      } as never),
      { dims: { N: 1 } },
    );
  await expect(compile({ epsilon: 0 })).rejects.toThrow(/"adamw" \(AdamW\): epsilon must be above 0/);
  await expect(compile({ beta2: 1 })).rejects.toThrow(/"adamw" \(AdamW\): betas must/);
});

/**
 * Runs a golden case on an engine and measures the worst error of every quantity, relative to the largest value of
 * the tensor. The files are float32, so 1e-6 is the reference engine's bound; the wasm engine's is 1e-4.
 *
 * A function may be so ill-conditioned that float32 itself can't reach the bound (three steps at a high rate with
 * BatchNorm over four values are chaotic). What float32 can reach is measured, not guessed: the float64 reference is
 * run again with each node's result rounded to float32. Where that alone moves a quantity by more than a quarter of
 * the bound, the allowed error is four times that movement, and the table says so.
 */
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import { type Engine, loadState, type Program } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { trainStep } from '../../src/step/train-step.ts';
import type { GoldenCase } from './case.ts';

export interface Check {
  readonly quantity: string;
  readonly error: number;
  /** Where the worst error is. */
  readonly worst: string;
  readonly allowed: number;
  /** What rounding to float32 alone does to the float64 reference, where that decides what is allowed. */
  readonly conditioning?: number;
}

type Quantities = Record<string, StateDict>;

const scalar = (value: number): Tensor => ({ shape: [], data: Float64Array.of(value) });
const numbers = (values: readonly number[]): Tensor => ({ shape: [values.length], data: Float64Array.from(values) });

/** Largest difference relative to the largest value of the expected tensor; NaN counts as infinite. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const d = Math.abs(actual.data[i]! - expected.data[i]!);
    difference = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(difference, d);
    largest = Math.max(largest, Math.abs(expected.data[i]!));
  }
  return largest === 0 ? difference : difference / largest;
}

/** The answers in the files. */
function expected({ io, loss, steps }: GoldenCase): Quantities {
  const behind = (prefix: string, test: (name: string) => boolean = () => true): StateDict =>
    new Map(
      [...io]
        .filter(([name]) => name.startsWith(prefix) && test(name))
        .map(([name, value]) => [name.slice(prefix.length), value]),
    );
  const single = (name: string): StateDict => new Map([[name, io.get(name)!]]);
  return {
    'eval logits': single('eval.logits'),
    'fused logits': single('fused.logits'),
    'train logits': single('train.logits'),
    loss: new Map([['loss', numbers([loss])]]),
    gradients: behind('grad.'),
    statistics: behind('after_forward.'),
    'losses of three steps': new Map([['losses', numbers(steps.losses)]]),
    'parameters after three steps': behind('after_3_steps.', (name) => !name.endsWith('eval.logits')),
    'eval logits after three steps': single('after_3_steps.eval.logits'),
  };
}

async function withProgram<T>(program: Program, use: (program: Program) => Promise<T>): Promise<T> {
  try {
    return await use(program);
  } finally {
    await program.dispose();
  }
}

/** Logits of a graph with a state. */
async function infer(
  engine: Engine,
  { graph, state }: { graph: GoldenCase['graph']; state: StateDict },
  one: GoldenCase,
): Promise<Tensor> {
  return withProgram(await engine.compile(graph, { dims: one.dims }), async (program) => {
    loadState(program, state);
    return (await program.run({ input: one.io.get('input')! })).logits!;
  });
}

/** Everything that the files have answers for, computed by an engine. */
async function compute(engine: Engine, one: GoldenCase): Promise<Quantities> {
  const { graph, train, io, steps, target, classes } = one;
  const names = (prefix: string): string[] =>
    [...io.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const single = (name: string, value: Tensor): StateDict => new Map([[name, value]]);
  const evalLogits = await infer(engine, { graph, state: train }, one);
  const fusedLogits = await infer(engine, fuse(graph, train), one);
  const step = trainStep(graph, classes, { momentum: steps.momentum, nesterov: steps.nesterov, ema: false });
  return withProgram(await engine.compile(step, { dims: one.dims }), async (program) => {
    loadState(program, train);
    const feeds = {
      input: io.get('input')!,
      target,
      lr: scalar(steps.lr),
      weight_decay: scalar(steps.weightDecay),
      bn_momentum: scalar(0.1),
    };
    const losses: number[] = [];
    let first: Pick<Quantities, 'train logits' | 'loss' | 'gradients' | 'statistics'> | undefined;
    for (let i = 0; i < steps.losses.length; i++) {
      const { loss, logits } = await program.run(feeds);
      losses.push(loss!.data[0]!);
      first ??= {
        'train logits': single('train.logits', logits!),
        loss: single('loss', loss!),
        gradients: new Map(names('grad.').map((name) => [name, program.read(`grad:${name}`)])),
        statistics: new Map(names('after_forward.').map((name) => [name, program.read(name)])),
      };
    }
    const state = new Map(Object.keys(graph.params).map((name) => [name, program.read(name)]));
    const params = names('after_3_steps.').filter((name) => name !== 'eval.logits');
    return {
      'eval logits': single('eval.logits', evalLogits),
      'fused logits': single('fused.logits', fusedLogits),
      ...first!,
      'losses of three steps': single('losses', numbers(losses)),
      'parameters after three steps': new Map(params.map((name) => [name, state.get(name)!])),
      'eval logits after three steps': single('after_3_steps.eval.logits', await infer(engine, { graph, state }, one)),
    };
  });
}

function worstError(actual: StateDict, wanted: StateDict): { error: number; worst: string } {
  let result = { error: 0, worst: '' };
  for (const [name, value] of wanted) {
    const error = relativeError(actual.get(name)!, value);
    if (error >= result.error) result = { error, worst: name };
  }
  return result;
}

/** Checks a case on an engine. `bound` is relative; `float32` says that the engine stores float32. */
export async function checkCase(one: GoldenCase, engine: Engine, bound: number, float32: boolean): Promise<Check[]> {
  const wanted = expected(one);
  const actual = await compute(engine, one);
  const rounded = float32 ? await compute(createReferenceEngine({ storage: 'float32' }), one) : undefined;
  const checks = Object.keys(wanted).map((quantity): Check => {
    const { error, worst } = worstError(actual[quantity]!, wanted[quantity]!);
    const conditioning = rounded ? worstError(rounded[quantity]!, wanted[quantity]!).error : 0;
    return conditioning > bound / 4
      ? { quantity, error, worst, allowed: 4 * conditioning, conditioning }
      : { quantity, error, worst, allowed: bound };
  });
  const fusedState = fuse(one.graph, one.train).state;
  const fused = worstError(fusedState, one.fused);
  return [{ quantity: 'fused weights', ...fused, allowed: 1e-6 }, ...checks];
}

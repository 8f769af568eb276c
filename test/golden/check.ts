/**
 * Runs a golden case on an engine and measures the worst error of every quantity, relative to the largest value of
 * the tensor. The files are float32, so 1e-6 is the reference engine's tolerance; the wasm engine's is 1e-4.
 *
 * A case may be so ill-conditioned that no engine of float32 can be held to that: what float32 does to the float64
 * reference is measured (`float32Movement`), and decides in the open. Where it stays below the tolerance, the tolerance
 * holds. Where it is larger but below 1e-2, the error must be at most twice the movement. Beyond, the quantity is
 * chaotic and says nothing about the engine: it is reported as undecidable, neither passed nor failed. What a chaotic
 * trajectory hides is checked another way: each step by itself, from the reference's own state.
 */
import { UserError } from '../../src/core/errors.ts';
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import { type Engine, loadState, type Program, readState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { trainStep } from '../../src/step/train-step.ts';
import type { GoldenCase } from './case.ts';

export interface Check {
  readonly quantity: string;
  /** Relative to the largest value of the tensor. */
  readonly worstError: number;
  /** The tensor that has the worst error. */
  readonly tensor: string;
  /** Infinite where the quantity is undecidable in float32. */
  readonly tolerance: number;
  /** How far float32 alone moves the quantity, where that exceeds the engine's tolerance. */
  readonly movement?: number;
}

type Quantities = Record<string, StateDict>;

const scalar = (value: number): Tensor => ({ shape: [], data: Float64Array.of(value) });
const numbers = (values: readonly number[]): Tensor => ({ shape: [values.length], data: Float64Array.from(values) });

/** Largest difference relative to the largest value of the expected tensor; infinite where a value is none or missing. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  if (actual.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const d = Math.abs(actual.data[i]! - expected.data[i]!);
    if (!Number.isFinite(d)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, d);
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
  const single = (name: string): StateDict => {
    const value = io.get(name);
    return new Map(value ? [[name, value]] : []);
  };
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

/** The worst relative error over tensors, and whose it is; throws a UserError where there is nothing to compare with. */
function compare(quantity: string, actual: StateDict, wanted: StateDict, tolerance: number): Check {
  if (wanted.size === 0) throw new UserError(`The case has no ${quantity} to compare with.`);
  let worst = { worstError: -1, tensor: '' };
  for (const [name, value] of wanted) {
    const found = actual.get(name);
    const worstError = found ? relativeError(found, value) : Number.POSITIVE_INFINITY;
    if (worstError > worst.worstError) worst = { worstError, tensor: name };
  }
  return { quantity, ...worst, tolerance };
}

/** Name of the check of single steps. */
const SINGLE_STEPS = 'each step from the exact state';

/** A step of the float64 reference: the state before it, and what it comes to. */
interface ExactStep {
  readonly before: StateDict;
  readonly loss: Tensor;
  readonly after: StateDict;
}

const exactSteps = new WeakMap<GoldenCase, Promise<readonly ExactStep[]>>();

/** The steps of a case on the reference, computed once. */
function exactStepsOf(
  one: GoldenCase,
  step: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<readonly ExactStep[]> {
  const compute = async (): Promise<readonly ExactStep[]> =>
    withProgram(await createReferenceEngine().compile(step, { dims: one.dims }), async (program) => {
      loadState(program, one.train);
      const steps: ExactStep[] = [];
      for (const _ of one.steps.losses) {
        const before = readState(program);
        const { loss } = await program.run(feeds);
        steps.push({ before, loss: loss!, after: readState(program, Object.keys(one.graph.params)) });
      }
      return steps;
    });
  const made = exactSteps.get(one) ?? compute();
  exactSteps.set(one, made);
  return made;
}

/**
 * The steps one by one: before each, the engine gets the reference's state; after it, parameters, statistics, momentum
 * and loss are compared, so that errors of earlier steps do not matter.
 */
async function singleSteps(engine: Engine, one: GoldenCase): Promise<{ actual: StateDict; wanted: StateDict }> {
  const { graph, io, steps, target, classes, dims } = one;
  const step = trainStep(graph, classes, { momentum: steps.momentum, nesterov: steps.nesterov, ema: false });
  const feeds = {
    input: io.get('input')!,
    target,
    lr: scalar(steps.lr),
    weight_decay: scalar(steps.weightDecay),
    bn_momentum: scalar(0.1),
  };
  const [actual, wanted] = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  const exact = await exactStepsOf(one, step, feeds);
  return withProgram(await engine.compile(step, { dims }), async (program) => {
    for (const [i, { before, loss, after }] of exact.entries()) {
      for (const name of program.stateNames) program.write(name, before.get(name)!);
      actual.set(`${i + 1}: loss`, (await program.run(feeds)).loss!);
      wanted.set(`${i + 1}: loss`, loss);
      for (const [name, value] of after) {
        actual.set(`${i + 1}: ${name}`, program.read(name));
        wanted.set(`${i + 1}: ${name}`, value);
      }
    }
    return { actual, wanted };
  });
}

/** Ways in which float32 may come out that are tried. */
export const DRAWS = 8;

/**
 * How far float32 alone moves every quantity: the worst of several runs of the float64 reference in which each node's
 * result and the state are right to one unit in the last place of float32 (moved by up to half a unit, then rounded).
 */
export async function float32Movement(one: GoldenCase, draws: number = DRAWS): Promise<ReadonlyMap<string, number>> {
  const wanted = expected(one);
  const movement = new Map<string, number>();
  const note = (quantity: string, found: StateDict, answers: StateDict): void => {
    const { worstError } = compare(quantity, found, answers, 0);
    movement.set(quantity, Math.max(worstError, movement.get(quantity) ?? 0));
  };
  for (let dither = 0; dither < draws; dither++) {
    const float32 = createReferenceEngine({ storage: 'float32', dither });
    const actual = await compute(float32, one);
    for (const quantity of Object.keys(wanted)) note(quantity, actual[quantity]!, wanted[quantity]!);
    const single = await singleSteps(float32, one);
    note(SINGLE_STEPS, single.actual, single.wanted);
  }
  return movement;
}

/** Below this, twice the movement still says something about an engine. */
const CHAOS = 1e-2;

/**
 * Checks a case on an engine. The fused weights, which no engine takes part in, are held to 1e-6. `movement` is for
 * engines of float32 (`float32Movement`); without it the tolerance holds whatever the conditioning.
 */
export async function checkCase(
  one: GoldenCase,
  engine: Engine,
  tolerance: number,
  movement: ReadonlyMap<string, number> = new Map(),
): Promise<Check[]> {
  const wanted = expected(one);
  const actual = await compute(engine, one);
  const single = await singleSteps(engine, one);
  const check = (quantity: string, found: StateDict, answers: StateDict): Check => {
    const moved = movement.get(quantity) ?? 0;
    if (moved <= tolerance) return compare(quantity, found, answers, tolerance);
    const allowed = moved < CHAOS ? 2 * moved : Number.POSITIVE_INFINITY;
    return { ...compare(quantity, found, answers, allowed), movement: moved };
  };
  return [
    compare('fused weights', fuse(one.graph, one.train).state, one.fused, 1e-6),
    ...Object.keys(wanted).map((quantity) => check(quantity, actual[quantity]!, wanted[quantity]!)),
    check(SINGLE_STEPS, single.actual, single.wanted),
  ];
}

/** Whether a quantity is within its tolerance; an undecidable one must at least be finite. */
export function passes({ worstError, tolerance }: Check): boolean {
  return Number.isFinite(worstError) && worstError <= tolerance;
}

/** Whether float32 moves the quantity so far that it says nothing about an engine. */
export function isUndecidable({ tolerance }: Check): boolean {
  return tolerance === Number.POSITIVE_INFINITY;
}

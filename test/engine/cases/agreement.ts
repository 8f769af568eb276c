/** Runs a case on an engine and on the float64 reference, and compares; without a test runner. */
import type { Tensor } from '../../../src/core/tensor.ts';
import { type Engine, loadState, type Program } from '../../../src/engine/engine.ts';
import { createReferenceEngine } from '../../../src/engine/reference/engine.ts';
import { isLearnable } from '../../../src/graph/graph.ts';
import { updatesParameters } from '../../../src/graph/state.ts';
import type { Case } from './models.ts';

const TOLERANCE = 1e-4;

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

function check(what: string, actual: Tensor, expected: Tensor): void {
  const error = relativeError(actual, expected);
  if (error >= TOLERANCE) throw new Error(`${what} differs from the reference by ${error.toExponential(2)}`);
}

/** Compiles a case, writes its state and runs it; returns the last outputs and the program, which the caller disposes. */
export async function runOn(
  engine: Engine,
  { graph, dims, feeds, state, steps = 1, repConv = 'auto' }: Case,
  threads: number,
): Promise<[Record<string, Tensor>, Program]> {
  const program = await engine.compile(graph, { dims, threads, repConv });
  loadState(program, state);
  for (const [name, value] of state)
    if (program.stateNames.includes(`ema:${name}`)) program.write(`ema:${name}`, value);
  let results: Record<string, Tensor> = {};
  for (let i = 0; i < steps; i++) results = await program.run(feeds);
  return [results, program];
}

/** An engine on a number of threads. */
export interface Setup {
  readonly name: string;
  readonly engine: Engine;
  readonly threads: number;
}

/** Checks that outputs, gradients and state of each engine agree with the reference's, which runs once; throws what differs. */
export async function expectAgreement(setups: readonly Setup[], one: Case): Promise<void> {
  const [expected, reference] = await runOn(createReferenceEngine(), one, 1);
  const { params } = one.graph;
  const gradients = updatesParameters(one.graph)
    ? Object.keys(params).filter((name) => isLearnable(params[name]!))
    : undefined;
  const answers = gradients && [...reference.stateNames, ...gradients.map((name) => `grad:${name}`)];
  const wanted = answers?.map((name) => [name, reference.read(name)] as const) ?? [];
  await reference.dispose();
  for (const { name: setup, engine, threads } of setups) {
    const [actual, program] = await runOn(engine, one, threads);
    for (const name of Object.keys(expected)) check(`${setup}: output ${name}`, actual[name]!, expected[name]!);
    for (const [name, value] of wanted) check(`${setup}: ${name}`, program.read(name), value);
    await program.dispose();
  }
}

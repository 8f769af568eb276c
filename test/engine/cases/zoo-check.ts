/** Checks a network of the zoo on every engine; without a test runner. */
import type { Tensor } from '../../../src/core/tensor.ts';
import { type Engine, loadState } from '../../../src/engine/engine.ts';
import { createReferenceEngine } from '../../../src/engine/reference/engine.ts';
import type { Graph } from '../../../src/graph/graph.ts';
import { zooGraph } from '../../../src/models/zoo/registry.ts';
import { fuse } from '../../../src/reparam/fuse.ts';
import { formula, type GoldenNet, stateByFormula } from './zoo.ts';

const FLOAT32 = 1e-4;
const FLOAT64 = 1e-9;

async function logitsOf(
  engine: Engine,
  graph: Graph,
  state: ReadonlyMap<string, Tensor>,
  [H, W]: readonly [number, number],
): Promise<readonly number[]> {
  const program = await engine.compile(graph, { dims: { N: 1, H, W } });
  const missing = loadState(program, state);
  if (missing.length) throw new Error(`${graph.name}: the state lacks ${missing}`);
  const { logits } = await program.run({ input: formula('input', [1, 3, H, W]) });
  await program.dispose();
  return Array.from(logits!.data);
}

function check(what: string, error: number, tolerance: number): void {
  if (!(error < tolerance)) throw new Error(`${what} differs by ${error.toExponential(2)}`);
}

const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/**
 * The float64 reference gives what PyTorch gives (where there is a golden entry; RepVGG in its train form, before fusing), and each
 * engine what the reference gives, in the fused form.
 */
export async function checkNet(name: string, golden: GoldenNet | undefined, engines: readonly Engine[]): Promise<void> {
  const built = zooGraph(name, 'train') ?? zooGraph(name, 'fused');
  const state = stateByFormula(built);
  const size = golden?.size ?? [48, 40];
  const expected = await logitsOf(createReferenceEngine(), built, state, size);
  if (golden) {
    const usual = golden.norm / Math.sqrt(expected.length);
    for (const [i, value] of golden.first.entries())
      check(`${name}: logit ${i}, from PyTorch's,`, Math.abs(expected[i]! - value) / usual, FLOAT64);
    check(`${name}: the norm of the logits, from PyTorch's,`, Math.abs(norm(expected) / golden.norm - 1), FLOAT64);
  }
  const fused = fuse(built, state);
  for (const engine of engines) {
    const actual = await logitsOf(engine, fused.graph, fused.state, size);
    const largest = Math.max(...expected.map(Math.abs));
    const error = Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!))) / largest;
    check(`${name}: ${engine.name}, from the reference,`, error, FLOAT32);
  }
}

/** Finds a plan of a program that fits: instructions and memory, none allocated. A matter of milliseconds. */
import { INSTRUCTION_WORDS } from '../../../kernels/opcodes.ts';
import { type BoundGraph, bindBy, type Dims } from '../../graph/bind.ts';
import type { Graph } from '../../graph/graph.ts';
import type { OpTable } from '../../graph/shape-rules.ts';
import { type MemoryPlan, type RecomputeChoice, type RepConvChoice, TooLargeError } from '../engine.ts';
import type { Rules } from './lower/inference-rules.ts';
import { type Lowered, lower } from './lower/lower.ts';
import { MAX_MEMORY_BYTES, planMemory } from './memory.ts';

/** Above this, `auto` makes depthwise outputs again in the backward pass. */
const RECOMPUTE_ABOVE_BYTES = 2 ** 31;

export interface FitOptions {
  readonly ops: OpTable;
  readonly rules: Rules;
  readonly dims: Dims;
  readonly threads: number;
  readonly repConv?: RepConvChoice | undefined;
  readonly recompute: RecomputeChoice;
  /** Bytes that the program may use. */
  readonly memoryLimit: number;
}

export interface Plan {
  readonly bound: BoundGraph;
  readonly lowered: Lowered;
  /** Bytes of activations, gradients and scratch. */
  readonly transient: number;
  /** Address of the instruction list, behind all buffers. */
  readonly listAt: number;
  /** Bytes of the whole memory. */
  readonly total: number;
}

/** What a plan takes of the memory. */
export function memoryOf({ lowered, transient }: Plan): MemoryPlan {
  return { state: lowered.state.bytes, activations: transient, recomputed: lowered.recomputed };
}

/** Plans a program with or without recomputing; its buffers have their addresses. */
function planWith(bound: BoundGraph, { rules, threads, repConv = 'auto' }: FitOptions, recompute: boolean): Plan {
  const lowered = lower(bound, threads, { rules, repConv, recompute });
  const { transient, total: listAt } = planMemory(lowered.buffers);
  const instructions = lowered.main.length + lowered.preparation.length;
  return { bound, lowered, transient, listAt, total: listAt + instructions * INSTRUCTION_WORDS * 4 };
}

/** Plans in the order in which they are to be tried. */
function* plansOf(graph: Graph, options: FitOptions): Generator<Plan> {
  const { recompute } = options;
  const bound = bindBy(options.ops, graph, options.dims);
  const kept = recompute === 'depthwise' ? undefined : planWith(bound, options, false);
  const first = kept && (recompute === 'never' || kept.total <= RECOMPUTE_ABOVE_BYTES) ? kept : undefined;
  if (first) yield first;
  if (recompute === 'never') return;
  const again = planWith(bound, options, true);
  yield again;
  if (kept && kept !== first) yield kept;
}

/**
 * The first plan that `holds` (given its bytes) accepts. Throws a TooLargeError that names the largest batch for which
 * there is one, if none is accepted.
 */
export function choosePlan(graph: Graph, options: FitOptions, holds: (bytes: number) => boolean): Plan {
  let least = Number.POSITIVE_INFINITY;
  for (const plan of plansOf(graph, options)) {
    if (holds(plan.total)) return plan;
    least = Math.min(least, plan.total);
  }
  throw tooLarge(least, options, largestBatch(graph, options, holds));
}

/** The largest batch below the one asked for that has a plan which `holds`; undefined if the batch is not to choose. */
function largestBatch(graph: Graph, options: FitOptions, holds: (bytes: number) => boolean): number | undefined {
  const { N } = options.dims;
  if (N === undefined || !graph.inputs.some(({ shape }) => shape.includes('N'))) return undefined;
  const fits = (batch: number): boolean => {
    const dims = { ...options.dims, N: batch };
    for (const { total } of plansOf(graph, { ...options, dims })) if (holds(total)) return true;
    return false;
  };
  let [fitting, failing] = [0, N];
  while (failing - fitting > 1) {
    const middle = (fitting + failing) >> 1;
    if (fits(middle)) fitting = middle;
    else failing = middle;
  }
  return fitting;
}

function tooLarge(bytes: number, { memoryLimit }: FitOptions, largest: number | undefined): TooLargeError {
  const gib = (value: number): string => `${(value / 2 ** 30).toFixed(value < 2 ** 28 ? 3 : 1)} GiB`;
  const limit =
    memoryLimit < MAX_MEMORY_BYTES
      ? `more than the limit of ${gib(memoryLimit)}`
      : `more than the ${MAX_MEMORY_BYTES / 2 ** 30} GiB that WebAssembly can address`;
  const why = bytes > memoryLimit ? limit : 'which this machine does not give';
  const hint = largest
    ? `Use a smaller batch: ${largest} is the largest that fits at this image size. Or use smaller images.`
    : largest === 0
      ? 'Use smaller images: at this size not even a batch of one fits.'
      : 'Use a smaller batch or a smaller image size.';
  return new TooLargeError(`This program needs ${gib(bytes)}, ${why}.`, hint, largest);
}

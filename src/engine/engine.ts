/**
 * The contract of an engine. An engine compiles a graph, with batch and image size bound, into a program that owns
 * its state (parameters, running statistics, what optimizer and EMA keep) and runs on named tensors.
 * The float64 reference engine (`reference/`) is the meaning of every op; the others are tested against it.
 */
import { UserError } from '../core/errors.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';
import type { Dims } from '../graph/bind.ts';
import type { Graph } from '../graph/graph.ts';
import type { OpKind } from '../graph/kinds.ts';

export interface Capabilities {
  /** Op kinds the engine runs; anything else is refused before compiling. */
  readonly ops: ReadonlySet<OpKind>;
  /** What is in use, for `info` and reports: e.g. `wasm relaxed-simd 128-bit`. */
  readonly description: string;
  /** What was chosen by timing when the engine was opened, for `info` only: it does not change results. */
  readonly tuning?: string;
  /** Threads used by default. */
  readonly threads: number;
}

/** A whole number, or `auto`: as many as the engine finds good here. */
export type Threads = number | 'auto';

const MAX_THREADS = 256;

/** The number of threads meant, where `auto` (or nothing) means `auto`. Throws a UserError if it is no number of threads. */
export function threadsOf(threads: Threads | undefined, auto: number): number {
  if (threads === undefined || threads === 'auto') return auto;
  if (Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS) return threads;
  throw new UserError(`threads must be a whole number from 1 to ${MAX_THREADS}, or auto, got ${threads}.`);
}

/** `auto`: the form that costs fewer multiply-adds, for each node. */
export type RepConvChoice = 'auto' | 'online' | 'explicit';

/** `auto`: `depthwise` where a program would be large, or not fit otherwise. */
export type RecomputeChoice = 'auto' | 'never' | 'depthwise';

export interface CompileOptions {
  /** Sizes of the graph's named dimensions, e.g. `{ N: 1, H: 224, W: 224 }`. */
  readonly dims: Dims;
  /** Threads to run on; default `auto`: the engine's. */
  readonly threads?: Threads;
  /**
   * How pointwise RepConvs are trained: by one convolution and the moments of its input, or branch by branch. Both give the same
   * results up to rounding. Only the wasm engine has a choice. Default `auto`.
   */
  readonly repConv?: RepConvChoice;
  /**
   * What a training step computes once more in the backward pass instead of keeping it, with the same results: nothing, or the
   * outputs of depthwise RepConvs. Only the wasm engine has a choice. Default `auto`.
   */
  readonly recompute?: RecomputeChoice;
  /** Bytes that a program of the wasm engine may use at most; default: what WebAssembly can address. */
  readonly memoryLimit?: number;
}

/** A program that needs more memory than there is. */
export class TooLargeError extends UserError {
  /** The largest batch that fits, 0 if none does; undefined if the graph has no batch to choose. */
  readonly largestBatch: number | undefined;

  constructor(message: string, hint: string, largestBatch: number | undefined) {
    super(message, hint);
    this.largestBatch = largestBatch;
  }
}

export interface MemoryPlan {
  /** Bytes of parameters, statistics, optimizer and EMA state. */
  readonly state: number;
  /** Bytes of activations, gradients and scratch at the peak. */
  readonly activations: number;
  /** Whether a part of the activations is computed twice instead of being kept. */
  readonly recomputed?: boolean;
}

export interface Program {
  /**
   * Runs once. Feeds are the graph's inputs by name (`[N, C, H, W]` float32, or uint8 `[N, H, W, C]` where the graph
   * begins with Preprocess); results are its outputs by name. Results are copies.
   */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /**
   * Reads a parameter, its state (`momentum:<param>`, `exp_avg:<param>`, `ema:<param>` …, see `graph/state.ts`), or
   * `grad:<param>` (the last step's), in its logical shape.
   */
  read(name: string): Tensor;
  /** Writes a parameter or its state. */
  write(name: string, value: Tensor): void;
  /** Names that `read` and `write` know, gradients left out. */
  readonly stateNames: readonly string[];
  readonly memory: MemoryPlan;
  /** Frees memory and ends threads. */
  dispose(): Promise<void>;
}

export interface Engine {
  readonly name: string;
  capabilities(): Capabilities;
  /** Compiles a graph; parameters start at zero until written. Throws, naming op and node, what it can't run. */
  compile(graph: Graph, options: CompileOptions): Promise<Program>;
  /**
   * What compiling would take, without allocating it; throws a TooLargeError as compiling would, with the largest batch
   * that fits. Engines that can't tell beforehand have none.
   */
  plan?(graph: Graph, options: CompileOptions): MemoryPlan;
}

/** Lists the nodes an engine can't run, as `name (Kind)`. */
export function unsupportedNodes(engine: Engine, graph: Graph): string[] {
  const { ops } = engine.capabilities();
  return graph.nodes.filter(({ kind }) => !ops.has(kind)).map(({ name, kind }) => `${name} (${kind})`);
}

/** The first of many nodes, for a message. */
export function firstOf(nodes: readonly string[]): string {
  const more = nodes.length - 3;
  return more > 1 ? `${nodes.slice(0, 3).join(', ')} and ${more} more nodes` : nodes.join(', ');
}

/** Writes every entry of a state that the program knows; returns the program's names that the state lacks. */
export function loadState(program: Program, state: StateDict): string[] {
  const missing: string[] = [];
  for (const name of program.stateNames) {
    const value = state.get(name);
    if (value) program.write(name, value);
    else missing.push(name);
  }
  return missing;
}

/** Reads the program's state: everything, or the names given. */
export function readState(program: Program, names: readonly string[] = program.stateNames): StateDict {
  return new Map(names.map((name) => [name, program.read(name)]));
}

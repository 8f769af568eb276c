/** Measures programs side by side: the rounds of all subjects alternate, so that noise hits them alike. */
import type { StateDict, Tensor } from '../core/tensor.ts';
import { type Engine, loadState } from '../engine/engine.ts';
import type { Dims } from '../graph/bind.ts';
import type { Graph } from '../graph/graph.ts';
import { type Protocol, protocolHash, summarizeRounds, type Timing } from './protocol.ts';

/** Something to be timed. */
export interface Subject {
  /** E.g. `fused`. */
  readonly name: string;
  /** What runs it, e.g. `wasm relaxed SIMD`. */
  readonly runtime: string;
  readonly threads: number;
  /** Everything from nothing to ready: the cold start. */
  open(): Promise<{ run(): Promise<unknown>; dispose(): Promise<void> }>;
}

/** One row of results; times in milliseconds a run. */
export interface Measurement extends Timing {
  readonly name: string;
  readonly runtime: string;
  readonly threads: number;
  /** Compiling, planning and loading the weights. */
  readonly coldStart: number;
  /** The first run, which may still prepare weights. */
  readonly firstRun: number;
  /** Rows compare only where this is equal. */
  readonly protocol: string;
}

/** A graph with its weights on an engine, fed with the same images each run. */
export function programSubject(
  name: string,
  engine: Engine,
  model: { readonly graph: Graph; readonly state: StateDict },
  options: { readonly dims: Dims; readonly threads?: number; readonly feeds: Readonly<Record<string, Tensor>> },
): Subject {
  const { description, threads: defaultThreads } = engine.capabilities();
  const { dims, threads = defaultThreads, feeds } = options;
  return {
    name,
    runtime:
      description.startsWith(engine.name) || engine.name.startsWith('ort')
        ? description
        : `${engine.name}, ${description}`,
    threads,
    async open() {
      const program = await engine.compile(model.graph, { dims, threads });
      loadState(program, model.state);
      return { run: () => program.run(feeds), dispose: () => program.dispose() };
    },
  };
}

const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

async function timed<T>(action: () => Promise<T>): Promise<[milliseconds: number, result: T]> {
  const began = performance.now();
  const result = await action();
  return [performance.now() - began, result];
}

/** Measures all subjects under one protocol. `onRound` hears of progress. */
export async function measure(
  subjects: readonly Subject[],
  protocol: Protocol,
  onRound: (done: number, total: number) => void = () => {},
): Promise<Measurement[]> {
  const opened: { run(): Promise<unknown>; dispose(): Promise<void> }[] = [];
  try {
    const starts: { coldStart: number; firstRun: number }[] = [];
    for (const subject of subjects) {
      const [coldStart, program] = await timed(() => subject.open());
      opened.push(program);
      const [firstRun] = await timed(() => program.run());
      starts.push({ coldStart, firstRun });
      for (let i = 0; i < protocol.warmup; i++) await program.run();
    }
    const rounds: number[][][] = subjects.map(() => []);
    for (let round = 0; round < protocol.rounds; round++) {
      for (const [s, program] of opened.entries()) {
        const times: number[] = [];
        for (let i = 0; i < protocol.runsPerRound; i++) times.push((await timed(() => program.run()))[0]);
        rounds[s]!.push(times);
        await breathe();
      }
      onRound(round + 1, protocol.rounds);
    }
    const hash = protocolHash(protocol);
    return subjects.map(({ name, runtime, threads }, s) => {
      const timing = summarizeRounds(rounds[s]!, protocol.trim);
      return { name, runtime, threads, ...starts[s]!, ...timing, protocol: hash };
    });
  } finally {
    for (const program of opened) await program.dispose();
  }
}

/** How many times as long the first takes; throws a TypeError for results of different protocols. */
export function ratio(first: Measurement, second: Measurement): number {
  if (first.protocol !== second.protocol) {
    throw new TypeError(
      `"${first.name}" and "${second.name}" were measured by different protocols (${first.protocol}, ${second.protocol})`,
    );
  }
  return first.mean / second.mean;
}

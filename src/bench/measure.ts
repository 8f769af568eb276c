/** Measures programs side by side: the rounds of all subjects alternate, so that noise hits them alike. */
import type { StateDict, Tensor } from '../core/tensor.ts';
import { type Engine, loadState } from '../engine/engine.ts';
import type { Dims } from '../graph/bind.ts';
import type { Graph } from '../graph/graph.ts';
import { clockTick, noiseOf } from './noise.ts';
import { type Protocol, protocolHash, summarizeRounds, type Timing } from './protocol.ts';

/** Something that is ready to run. */
export interface Opened {
  /** Runs once, to the end (results read back); returns what can be compared between runtimes, the logits. */
  run(): Promise<ArrayLike<number> | undefined>;
  dispose(): Promise<void>;
}

/** Something to be timed. */
export interface Subject {
  /** E.g. `fused`. */
  readonly name: string;
  /** Short name of the runtime, as in the table of runtimes: `wasm`, `ort-node` … */
  readonly key: string;
  /** What runs it, with its version, e.g. `wasm, relaxed SIMD` or `onnxruntime-node 1.30.0`. */
  readonly runtime: string;
  /** How it runs it, e.g. `cpu, all graph optimizations`. */
  readonly settings: string;
  readonly threads: number;
  /** Milliseconds that loading the runtime itself took, once in this process. */
  readonly load: number;
  /** From the bytes of a model to a program that is ready: the rest of the cold start. */
  open(): Promise<Opened>;
}

/** One row of results; times in milliseconds a run. */
export interface Measurement extends Timing {
  readonly name: string;
  readonly key: string;
  readonly runtime: string;
  readonly settings: string;
  readonly threads: number;
  /** Loading the runtime (its code, its kernels). */
  readonly load: number;
  /** Compiling, planning and loading the weights. */
  readonly compile: number;
  /** Both: what a user waits for who opens the app. */
  readonly coldStart: number;
  /** The first run, which may still prepare weights. */
  readonly firstRun: number;
  /** Largest difference of an output from the first subject's, relative to the largest output; undefined if there is nothing to compare. */
  readonly difference?: number;
  /** Rows compare only where this is equal. */
  readonly protocol: string;
  /** What speaks against the measurement, in sentences. */
  readonly noise: readonly string[];
}

/** A graph with its weights on an engine, fed with the same images each run. */
export function programSubject(
  name: string,
  engine: Engine,
  model: { readonly graph: Graph; readonly state: StateDict },
  options: {
    readonly dims: Dims;
    readonly threads?: number;
    readonly feeds: Readonly<Record<string, Tensor>>;
    readonly load?: number;
  },
): Subject {
  const { description, tuning = '', threads: defaultThreads } = engine.capabilities();
  const { dims, threads = defaultThreads, feeds, load = 0 } = options;
  return {
    name,
    key: engine.name,
    runtime:
      description.startsWith(engine.name) || engine.name.startsWith('ort')
        ? description
        : `${engine.name}, ${description}`,
    settings: tuning,
    threads,
    load,
    async open() {
      const program = await engine.compile(model.graph, { dims, threads });
      loadState(program, model.state);
      return { run: async () => logitsOf(await program.run(feeds)), dispose: () => program.dispose() };
    },
  };
}

/** The output `logits`, else the first. */
export function logitsOf(outputs: Readonly<Record<string, Tensor>>): ArrayLike<number> | undefined {
  return (outputs.logits ?? Object.values(outputs)[0])?.data;
}

/** Largest difference of two lists relative to the largest value of the second. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, largest] = [0, Number.MIN_VALUE];
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return a.length === b.length ? difference / largest : Number.POSITIVE_INFINITY;
}

export interface MeasureOptions {
  /** Hears of progress: rounds done of all. */
  readonly onRound?: (done: number, total: number) => void;
  /** Hears what is opened, before it is. */
  readonly onOpen?: (subject: Subject) => void;
  /** Hears of a subject that can't be opened or run, which is then left out; without it the error is thrown. */
  readonly onRefused?: (subject: Subject, error: unknown) => void;
  /** Milliseconds since some moment; tests put their own here. */
  readonly clock?: () => number;
  /** Ends the measurement before the next round: its reason is thrown. */
  readonly signal?: AbortSignal;
}

const now = (): number => performance.now();
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A subject that is open, and how long that took. */
interface Running {
  readonly subject: Subject;
  readonly program: Opened;
  readonly start: { readonly compile: number; readonly coldStart: number; readonly firstRun: number };
  readonly outputs: ArrayLike<number> | undefined;
  readonly rounds: number[][];
}

/**
 * Measures all subjects under one protocol: each is opened (cold start), run once (first run), warmed up; then a round of each in turn
 * until all rounds are done (steady state). All stay open until the end.
 */
export async function measure(
  subjects: readonly Subject[],
  protocol: Protocol,
  { onRound = () => {}, onOpen = () => {}, onRefused, clock = now, signal }: MeasureOptions = {},
): Promise<Measurement[]> {
  const timed = async <T>(action: () => Promise<T>): Promise<[milliseconds: number, result: T]> => {
    const began = clock();
    const result = await action();
    return [clock() - began, result];
  };
  const tick = clock === now ? clockTick(clock) : 0;
  const opened: Opened[] = [];
  const start = async (subject: Subject): Promise<Running> => {
    const [compile, program] = await timed(() => subject.open());
    opened.push(program);
    const [firstRun, outputs] = await timed(() => program.run());
    for (let i = 0; i < protocol.warmup; i++) await program.run();
    return { subject, program, start: { compile, coldStart: subject.load + compile, firstRun }, outputs, rounds: [] };
  };
  try {
    const running: Running[] = [];
    for (const subject of subjects) {
      signal?.throwIfAborted();
      onOpen(subject);
      try {
        running.push(await start(subject));
      } catch (error) {
        if (!onRefused || signal?.aborted) throw error;
        onRefused(subject, error);
      }
    }
    for (let round = 0; round < protocol.rounds; round++) {
      for (const { program, rounds } of running) {
        const times: number[] = [];
        for (let i = 0; i < protocol.runsPerRound; i++) times.push((await timed(() => program.run()))[0]);
        rounds.push(times);
        await breathe();
        signal?.throwIfAborted();
      }
      onRound(round + 1, protocol.rounds);
    }
    const expected = running[0]?.outputs;
    return running.map(({ subject, start: began, outputs, rounds }, i): Measurement => {
      const { name, key, runtime, settings, threads, load } = subject;
      const timing = summarizeRounds(rounds, protocol.trim);
      return {
        ...{ name, key, runtime, settings, threads, load, ...began, ...timing },
        ...(i > 0 && outputs && expected ? { difference: relativeDifference(outputs, expected) } : {}),
        protocol: protocolHash(protocol),
        noise: noiseOf(timing, tick),
      };
    });
  } finally {
    for (const program of opened) await program.dispose();
  }
}

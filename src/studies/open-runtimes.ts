/** The runtimes of a study, each loaded once. */
import {
  type BenchModel,
  type LoadedRuntime,
  type RuntimeKey,
  type RuntimeTable,
  refusalText,
} from '../bench/runtimes.ts';

/** A runtime with a number of threads. */
export interface Side {
  readonly key: RuntimeKey;
  readonly threads: number;
  readonly loaded: LoadedRuntime;
  /** Milliseconds that loading took. */
  readonly load: number;
}

/** `wasm, 2 threads`. */
export const sideText = ({ key, threads }: Pick<Side, 'key' | 'threads'>): string =>
  `${key}, ${threads} thread${threads > 1 ? 's' : ''}`;

/** Loads what is here of the runtimes; `notes` say what is not, and what to do. */
export async function loadSides(
  table: RuntimeTable,
  runtimes: readonly RuntimeKey[],
  threads: readonly number[],
): Promise<{ readonly sides: Side[]; readonly notes: string[] }> {
  const sides: Side[] = [];
  const notes: string[] = [];
  for (const key of runtimes) {
    const began = performance.now();
    try {
      const loaded = await table[key]();
      const load = performance.now() - began;
      const { mostThreads = Number.POSITIVE_INFINITY, why } = loaded;
      for (const count of threads) {
        if (count <= mostThreads) sides.push({ key, threads: count, loaded, load });
        else notes.push(`${key} is not measured with ${count} threads: ${why}.`);
      }
    } catch (error) {
      notes.push(refusalText(key, error));
    }
  }
  return { sides, notes };
}

/** Why a runtime refused a candidate, in one line. */
export function reasonOf(error: unknown): string {
  return (error as Error).message.split('\n')[0]!.slice(0, 250);
}

/** What a first try of a model on a side tells. */
export interface Tried {
  /** Of a run, roughly: the better of two after the first. */
  readonly seconds: number;
  readonly outputs: ArrayLike<number> | undefined;
}

/** Tries a model on a side. Throws what the runtime throws. */
export async function tryOn({ loaded, threads }: Side, model: BenchModel): Promise<Tried> {
  await loaded.prepare?.(model);
  const program = await loaded.open(model, threads);
  try {
    const timed = async (): Promise<Tried> => {
      const began = performance.now();
      const outputs = await program.run();
      return { seconds: (performance.now() - began) / 1000, outputs };
    };
    const { seconds, outputs } = await timed();
    const again = (await timed()).seconds;
    return { seconds: seconds > 1 ? Math.min(seconds, again) : Math.min(again, (await timed()).seconds), outputs };
  } finally {
    await program.dispose();
  }
}

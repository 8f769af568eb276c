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
  return { sides, notes: [...notes, ...widthNotes(sides)] };
}

const OTHER_WASM: readonly RuntimeKey[] = ['ort-web', 'litert'];

/** Our engine asks V8 for wider vectors than it gives by itself; other WebAssembly runtimes run as they come. */
function widthNotes(sides: readonly Side[]): string[] {
  const wide = sides.some(({ key, loaded }) => key === 'wasm' && loaded.runtime.includes('256 bit'));
  if (!wide || !sides.some(({ key }) => OTHER_WASM.includes(key))) return [];
  return [
    'wasm asks V8 for vectors of 256 bits; ort-web and litert run as they come, with 128. `--wide off` measures wasm with 128 too; `docs/performance.md` compares both widths on every side.',
  ];
}

/** Why a runtime refused a candidate, in one line. */
export function reasonOf(error: unknown): string {
  return (error as Error).message.split('\n')[0]!.slice(0, 250);
}

/** What a first try of a model on a side tells. */
export interface Tried {
  /** Of a run on average, the first left out. */
  readonly seconds: number;
  /** Of all runs. */
  readonly spent: number;
  readonly outputs: ArrayLike<number> | undefined;
}

/** A try runs at least twice after the first run, then on until so many seconds are over or so many runs done. */
const TRY = { runs: 2, seconds: 0.1, most: 10 } as const;

/** Tries a model on a side. Throws what the runtime throws. */
export async function tryOn({ loaded, threads }: Side, model: BenchModel): Promise<Tried> {
  await loaded.prepare?.(model);
  const program = await loaded.open(model, threads);
  try {
    const began = performance.now();
    const outputs = await program.run();
    const first = performance.now();
    const since = (): number => (performance.now() - first) / 1000;
    let runs = 0;
    while (runs < TRY.runs || (since() < TRY.seconds && runs < TRY.most)) {
      await program.run();
      runs++;
    }
    return { seconds: since() / runs, spent: (performance.now() - began) / 1000, outputs };
  } finally {
    await program.dispose();
  }
}

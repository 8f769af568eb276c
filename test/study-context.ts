/** A study without a machine: every candidate takes a time that follows from its counts, so that studies run in no time. */
import { nameDevice } from '../src/bench/device.ts';
import { shortProtocol } from '../src/bench/protocol.ts';
import type { RuntimeKey } from '../src/bench/runtimes.ts';
import { hashText, random } from '../src/core/random.ts';
import { bind } from '../src/graph/bind.ts';
import { type Cost, cost } from '../src/graph/cost.ts';
import { fuseGraph } from '../src/graph/passes/fuse.ts';
import type { Candidate, StudyContext, Timed } from '../src/studies/study.ts';

/** Runtimes that refuse nothing; a million multiply-adds takes so many milliseconds, a million bytes moved so many more. */
const SPEEDS: Readonly<Partial<Record<RuntimeKey, readonly [macs: number, bytes: number]>>> = {
  wasm: [0.02, 0.1],
  'ort-node': [0.01, 0.05],
};

const known = new Map<string, Cost>();

/** Counts of a candidate; networks of the same name are the same. */
function countsOf({ name, build }: Candidate, size: number, batch: number): Cost {
  const key = `${name} ${size} ${batch}`;
  const counts = known.get(key) ?? cost(bind(fuseGraph(build()), { N: batch, H: size, W: size }));
  known.set(key, counts);
  return counts;
}

/** The time of a candidate on a runtime, with some noise that is always the same. */
export function syntheticTime(
  candidate: Candidate,
  runtime: RuntimeKey,
  threads: number,
): Omit<Timed, 'reference' | 'referenceRounds'> | undefined {
  const speed = SPEEDS[runtime];
  if (!speed) return undefined;
  const { name, size = 224, batch = 1 } = candidate;
  const counts = countsOf(candidate, size, batch);
  const rng = random(hashText(name), hashText(runtime), threads);
  const mean =
    ((speed[0] * counts.macs + speed[1] * counts.activationBytes) / 1e6 / threads) * (1 + 0.1 * rng.uniform());
  return {
    ...{ name, runtime, version: `${runtime} 1.0`, threads, macs: counts.macs / batch, params: counts.params },
    ...{
      mean,
      interval: [0.98 * mean, 1.02 * mean],
      minimum: 0.95 * mean,
      median: mean,
      roundMeans: [mean, mean],
      noise: [],
    },
  };
}

/** A context whose `measure` answers at once. */
export function syntheticContext(parts: Partial<StudyContext> = {}): StudyContext {
  const runtimes: readonly RuntimeKey[] = parts.runtimes ?? ['wasm', 'ort-node'];
  const threads = parts.threads ?? [1];
  const device = nameDevice(
    { cpu: 'Test CPU', cores: 2, memoryGigabytes: 4, system: 'test 1', host: 'Node v0', features: [] },
    'test',
  );
  return {
    ...{ quick: false, device, runtimes, threads, kept: [] },
    async measure(candidates, wish = {}) {
      const sides = runtimes
        .filter((runtime) => (wish.runtimes ?? runtimes).includes(runtime))
        .flatMap((runtime) => threads.map((count) => ({ runtime, count })));
      const all = sides.flatMap(({ runtime, count }) =>
        candidates.map((candidate) => ({ candidate, runtime, count, timed: syntheticTime(candidate, runtime, count) })),
      );
      return {
        protocol: shortProtocol(5, 10),
        rows: all.flatMap(({ timed }) => (timed ? [{ ...timed, reference: 10, referenceRounds: [] }] : [])),
        refused: all
          .filter(({ timed }) => !timed)
          .map(({ candidate: { name }, runtime, count }) => ({
            name,
            runtime,
            threads: count,
            reason: 'It is not here.',
          })),
        notes: [],
      };
    },
    progress: () => {},
    ...parts,
  };
}

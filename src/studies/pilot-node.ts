/** Trying everything once before measuring: what is refused, and how long a run takes, which decides the protocol. */
import { relativeDifference } from '../bench/measure.ts';
import { REFERENCE, zooCandidate } from './candidates.ts';
import { reasonOf, type Side, tryOn } from './open-runtimes.ts';
import { groupsOf } from './plan.ts';
import { type Counted, counted, isReference, prepare } from './prepare-node.ts';
import type { Refusal } from './study.ts';

/** Outputs that differ by more than this, relative to the largest, are another network's. */
const SAME = 1e-3;

/** What is known before measuring. */
export interface Pilot {
  readonly refused: readonly Refusal[];
  readonly notes: readonly string[];
  /** How long one run of a candidate on a side takes, in seconds or something in proportion to it. */
  weight(candidate: Counted, side: Side): number;
  /** One run of everything, and opening everything once more, in seconds. */
  readonly runSeconds: number;
  readonly openSeconds: number;
}

/** Without trying: time in proportion to work. */
export function untried(all: readonly Counted[], sides: readonly Side[]): Pilot {
  const weight = ({ macs, batch }: Counted): number => 1e-3 + (macs * batch) / 1e10;
  const runSeconds = sides.length * all.reduce((sum, one) => sum + weight(one), 0);
  return { refused: [], notes: [], weight, runSeconds, openSeconds: 0 };
}

const keyOf = ({ candidate }: Counted, { key, threads }: Side): string => `${candidate.name} ${key}@${threads}`;

export interface PilotHooks {
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens every candidate on every side once: which refuse it, how long a run takes, and whether all answer the same. */
export async function tryAll(
  all: readonly Counted[],
  sides: readonly Side[],
  { onProgress = () => {}, signal }: PilotHooks,
): Promise<Pilot> {
  const began = performance.now();
  const refused: Refusal[] = [];
  const notes: string[] = [];
  const seconds = new Map<string, number>();
  const reference = all.find(isReference) ?? counted(zooCandidate(REFERENCE));
  const tried = all.includes(reference) ? all : [reference, ...all];
  let runs = 0;
  for (const [i, one] of tried.entries()) {
    const { name } = one.candidate;
    onProgress(i, tried.length, `trying ${name}`);
    const { model } = await prepare(one);
    let expected: ArrayLike<number> | undefined;
    for (const side of sides) {
      signal?.throwIfAborted();
      try {
        const { seconds: run, outputs } = await tryOn(side, model);
        seconds.set(keyOf(one, side), run);
        runs += 3 * run;
        if (expected && outputs && relativeDifference(outputs, expected) > SAME)
          notes.push(`${name} answers differently on ${side.key} than on the runtime before it.`);
        expected ??= outputs;
      } catch (error) {
        if (signal?.aborted) throw error;
        refused.push({ name, runtime: side.key, threads: side.threads, reason: reasonOf(error) });
      }
    }
  }
  onProgress(tried.length, tried.length, 'trying');
  const weight = (one: Counted, side: Side): number => seconds.get(keyOf(one, side)) ?? 0;
  const groups = groupsOf(all).length;
  const runSeconds = sides.reduce(
    (sum, side) => sum + groups * weight(reference, side) + all.reduce((more, one) => more + weight(one, side), 0),
    0,
  );
  const openSeconds = Math.max(0, (performance.now() - began) / 1000 - runs);
  return {
    refused: refused.filter(({ name }) => all.some(({ candidate }) => candidate.name === name)),
    notes,
    weight,
    runSeconds,
    openSeconds,
  };
}

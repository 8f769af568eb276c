/** How a study spends its time: in which groups candidates are measured, and by which protocol. */
import { MODEL_BENCH, type Protocol, shortProtocol } from '../bench/protocol.ts';

/** At most so many candidates are open at once beside the reference, and so many bytes of weights unless it is one alone. */
const MOST = 7;
const MOST_BYTES = 160e6;

/** Puts candidates into groups that are open at once, in their order. */
export function groupsOf<T extends { readonly params: number }>(candidates: readonly T[]): T[][] {
  const groups: T[][] = [];
  let bytes = 0;
  for (const candidate of candidates) {
    const more = 4 * candidate.params;
    const last = groups.at(-1);
    if (!last || last.length >= MOST || bytes + more > MOST_BYTES) {
      groups.push([candidate]);
      bytes = more;
    } else {
      last.push(candidate);
      bytes += more;
    }
  }
  return groups;
}

/** Rounds by how many runs of each there is time for; the last is taken if there is time for fewer. */
const ROUNDS: readonly (readonly [leastRuns: number, rounds: number])[] = [
  [800, 15],
  [88, 10],
  [36, 5],
  [0, 3],
];
/** Fewer runs a round leave nothing to cut away. */
const LEAST_RUNS = 5;

/**
 * The protocol for all of a study: the longest of a few that takes no more than `seconds`, given how long one run of everything takes
 * (`runSeconds`), warm-up included. Where there is no time, the shortest, and `over` says how long it takes.
 */
export function protocolFor(
  seconds: number,
  runSeconds: number,
): { readonly protocol: Protocol; readonly over?: number } {
  const runs = Math.max(0, seconds) / Math.max(runSeconds, 1e-6);
  const { rounds: full, runsPerRound, warmup } = MODEL_BENCH;
  if (runs >= full * runsPerRound + warmup) return { protocol: MODEL_BENCH };
  const [, rounds] = ROUNDS.find(([least]) => runs >= least)!;
  const each = Math.floor(runs / (rounds + 1));
  const protocol = shortProtocol(rounds, Math.min(MODEL_BENCH.runsPerRound, Math.max(LEAST_RUNS, each)));
  return each >= LEAST_RUNS ? { protocol } : { protocol, over: runsOf(protocol) * runSeconds };
}

/** Runs of each subject by a protocol, the first one and the warm-up included. */
export function runsOf({ warmup, rounds, runsPerRound }: Protocol): number {
  return 1 + warmup + rounds * runsPerRound;
}

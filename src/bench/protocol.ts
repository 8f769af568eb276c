/**
 * The measuring protocol of Apple's ModelBench (paper §4.1): rounds of runs after a warm-up; in each round the lowest
 * and highest times are cut away and the rest averaged. Results of different protocols must not be compared.
 */
import { UserError } from '../core/errors.ts';
import { hashText } from '../core/random.ts';
import { ascending, average, deviation, middle, tQuantile } from './statistics.ts';

export interface Protocol {
  /** Runs before measuring. */
  readonly warmup: number;
  readonly rounds: number;
  readonly runsPerRound: number;
  /** Runs cut away at either end of each sorted round. */
  readonly trim: number;
}

/** Apple's numbers: 20 rounds of 50 runs, the 10 lowest and 10 highest of each cut away. */
export const MODEL_BENCH: Protocol = { warmup: 50, rounds: 20, runsPerRound: 50, trim: 10 };

/** A protocol with fewer rounds or runs; the same share, a fifth, is cut away at either end. */
export function shortProtocol(rounds: number, runsPerRound: number, warmup: number = runsPerRound): Protocol {
  return { warmup, rounds, runsPerRound, trim: Math.floor(runsPerRound / 5) };
}

/** A protocol for about so many milliseconds in all, given how long a run takes: five rounds of at most 50 runs. */
export function boundedProtocol(milliseconds: number, runMilliseconds: number): Protocol {
  const rounds = 5;
  // One round more to warm up.
  const runs = Math.floor(milliseconds / ((rounds + 1) * Math.max(runMilliseconds, 1e-3)));
  return shortProtocol(rounds, Math.max(1, Math.min(MODEL_BENCH.runsPerRound, runs)));
}

/** Eight hexadecimal digits that name a protocol; results that differ in it are not comparable. */
export function protocolHash({ warmup, rounds, runsPerRound, trim }: Protocol): string {
  return hashText(`modelbench/${warmup}/${rounds}/${runsPerRound}/${trim}`).toString(16).padStart(8, '0');
}

/** A protocol in words. */
export function protocolText({ rounds, runsPerRound, warmup, trim }: Protocol): string {
  return `${rounds} rounds of ${runsPerRound} runs after ${warmup}, ${trim} cut at either end of each`;
}

/** Throws a UserError unless all results were measured by one protocol. */
export function requireOneProtocol(results: readonly { readonly protocol: string }[]): void {
  const hashes = [...new Set(results.map(({ protocol }) => protocol))];
  if (hashes.length < 2) return;
  throw new UserError(
    `These results were measured by different protocols (${hashes.join(', ')}), so they can't be compared.`,
    'Measure again with the same --rounds and --runs.',
  );
}

/** Times of one subject in milliseconds. */
export interface Timing {
  /** Mean of the rounds' trimmed means. */
  readonly mean: number;
  readonly minimum: number;
  /** Median of all runs. */
  readonly median: number;
  /** 95 % interval of the mean, from the spread of the rounds (Student's t); no time is below zero. */
  readonly interval: readonly [number, number];
  readonly runs: number;
  /** Trimmed mean of each round, in the order in which they were measured. */
  readonly roundMeans: readonly number[];
}

/** Sums up the rounds of one subject, each a list of milliseconds. Throws a RangeError where nothing is left to average. */
export function summarizeRounds(rounds: readonly (readonly number[])[], trim: number): Timing {
  const sorted = rounds.map(ascending);
  if (sorted.length === 0 || sorted.some(({ length }) => length <= 2 * trim)) {
    throw new RangeError(`a round needs more than ${2 * trim} runs, or trimming leaves nothing`);
  }
  const roundMeans = sorted.map((round) => average(round.slice(trim, round.length - trim)));
  const all = ascending(sorted.flat());
  const mean = average(roundMeans);
  const n = roundMeans.length;
  const half = n > 1 ? (tQuantile(n - 1) * deviation(roundMeans, mean)) / Math.sqrt(n) : 0;
  return {
    mean,
    minimum: all[0]!,
    median: middle(all),
    interval: [Math.max(0, mean - half), mean + half],
    runs: all.length,
    roundMeans,
  };
}

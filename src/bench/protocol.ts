/**
 * The measuring protocol of Apple's ModelBench (paper §4.1): rounds of runs after a warm-up; in each round the lowest
 * and highest times are cut away and the rest averaged. Results of different protocols must not be compared.
 */
import { hashText } from '../core/random.ts';

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
}

/** Sums up the rounds of one subject, each a list of milliseconds. Throws a RangeError where nothing is left to average. */
export function summarizeRounds(rounds: readonly (readonly number[])[], trim: number): Timing {
  const sorted = rounds.map((round) => [...round].sort((a, b) => a - b));
  if (sorted.length === 0 || sorted.some(({ length }) => length <= 2 * trim)) {
    throw new RangeError(`a round needs more than ${2 * trim} runs, or trimming leaves nothing`);
  }
  const means = sorted.map((round) => average(round.slice(trim, round.length - trim)));
  const all = sorted.flat().sort((a, b) => a - b);
  const mean = average(means);
  const half = means.length > 1 ? (tQuantile(means.length - 1) * deviation(means, mean)) / Math.sqrt(means.length) : 0;
  return {
    mean,
    minimum: all[0]!,
    median: middle(all),
    interval: [Math.max(0, mean - half), mean + half],
    runs: all.length,
  };
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const middle = (sorted: readonly number[]): number =>
  (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;

const deviation = (values: readonly number[], mean: number): number =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));

/** 97.5 % quantile of Student's t by degrees of freedom (Cornish–Fisher around the normal from 3 on). */
function tQuantile(freedom: number): number {
  const exact: Readonly<Record<number, number>> = { 1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776 };
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  return exact[freedom] ?? z + first / freedom + second / freedom ** 2;
}

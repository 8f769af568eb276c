/** Times of parts of networks, as differences of networks that were measured. */

import type { LayerTime } from '../bench/predict/layers.ts';
import type { RuntimeKey } from '../bench/runtimes.ts';
import { average, deviation, tQuantile } from '../bench/statistics.ts';
import { REFERENCE } from './candidates.ts';
import type { Interval } from './figures.ts';
import type { CountedLayer } from './scaling-nets.ts';
import type { Measured, Timed } from './study.ts';

/** Milliseconds with a 95 % interval. */
export interface Estimate {
  readonly mean: number;
  readonly interval: Interval;
}

/** One runtime with one number of threads. */
export interface Side {
  readonly runtime: RuntimeKey;
  readonly threads: number;
  readonly title: string;
}

/** The sides that measured anything, the main one first. */
export function sidesOf({ rows }: Pick<Measured, 'rows'>): Side[] {
  const sides = new Map<string, Side>();
  for (const { runtime, threads } of rows) {
    const title = `${runtime}, ${threads} thread${threads > 1 ? 's' : ''}`;
    sides.set(title, { runtime, threads, title });
  }
  return [...sides.values()];
}

/** The measurement of a candidate on a side. */
export function timedOn({ rows }: Pick<Measured, 'rows'>, side: Side, name: string): Timed | undefined {
  return rows.find((row) => row.name === name && row.runtime === side.runtime && row.threads === side.threads);
}

const halfOf = ({ interval: [low, high] }: Pick<Timed, 'interval'>): number => (high - low) / 2;

/** How much slower the machine was in one's group than in the other's, as the reference network tells. */
export function drift(one: Timed, other: Timed): number {
  const ratio = one.reference / other.reference;
  return Number.isFinite(ratio) ? ratio : 1;
}

/** A measurement as it was made in turn with another, where it was: that of the reference network is there in every group. */
function besides<T extends Timed>(one: Timed, other: T): T {
  if (other.name !== REFERENCE || one.referenceRounds.length === 0) return other;
  return { ...other, mean: one.reference, roundMeans: one.referenceRounds, reference: one.reference };
}

/**
 * How much longer one takes than the other. What was measured in turn (in one group, with one reference) is compared round by round.
 * Of different groups the second is converted to the pace of the first, and intervals add up as those of independent means.
 */
export function difference(more: Timed, other: Timed): Estimate {
  const less = besides(more, other);
  const pace = drift(more, less);
  const mean = more.mean - pace * less.mean;
  const n = more.roundMeans.length;
  const inTurn = n > 2 && n === less.roundMeans.length && more.reference === less.reference;
  const each = more.roundMeans.map((value, i) => value - less.roundMeans[i]!);
  const half = inTurn
    ? (tQuantile(n - 1) * deviation(each, average(each))) / Math.sqrt(n)
    : Math.hypot(halfOf(more), pace * halfOf(less));
  return { mean, interval: [mean - half, mean + half] };
}

/** What one part of a network takes. */
export interface PartTime extends Estimate {
  readonly net: string;
  readonly side: Side;
  readonly part: number;
  /** Of the whole network's time. */
  readonly share: number;
}

/** What other depths cost. */
export interface ChangeTime extends Estimate {
  readonly label: string;
  readonly side: Side;
  readonly depths: readonly number[];
  readonly whole: number;
  readonly base: number;
  /** Multiply-adds and parameters more than before. */
  readonly macs: number;
  readonly params: number;
}

/** What k branches cost without fusing, and with. */
export interface BranchTime extends Estimate {
  readonly side: Side;
  readonly k: number;
  readonly macs: number;
  readonly params: number;
  readonly activationBytes: number;
  readonly fused: number;
}

/** A layer with its time, if there is one. */
export interface LayerOf {
  readonly net: string;
  readonly counted: CountedLayer;
  readonly time?: LayerTime;
}

/** What the study found on its main side. */
export interface Found {
  /** The network that was changed and branched. */
  readonly first: string;
  readonly main: Side;
  readonly layers: readonly LayerOf[];
  readonly parts: readonly PartTime[];
  readonly moves: readonly ChangeTime[];
  readonly forms: readonly BranchTime[];
}

/** `2.3 times`. */
export const timesText = (ratio: number): string => `${ratio.toFixed(ratio < 10 ? 1 : 0)} times`;

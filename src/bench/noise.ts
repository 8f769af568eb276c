/** Whether a measurement can be believed: what speaks against it, in sentences. */
import type { Timing } from './protocol.ts';
import { average, deviation } from './statistics.ts';

/** Half of the 95 % interval above this share of the mean is too wide. */
const WIDE = 0.05;
/** First and last quarter of the rounds that differ by more than this share of the mean have drifted … */
const DRIFT = 0.05;
/** … if the difference is also this many times its standard error. */
const SURE = 3;
/** A clock whose ticks are more than this share of a run is too coarse. */
const COARSE = 0.05;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** By which share of the mean the last quarter of the rounds is slower than the first; 0 where that may be chance. */
export function driftOf(roundMeans: readonly number[]): number {
  const quarter = Math.floor(roundMeans.length / 4);
  if (quarter < 2) return 0;
  const [first, last] = [roundMeans.slice(0, quarter), roundMeans.slice(-quarter)];
  const difference = average(last) - average(first);
  const error = Math.sqrt((deviation(first) ** 2 + deviation(last) ** 2) / quarter);
  const drift = difference / average(roundMeans);
  return Math.abs(drift) > DRIFT && Math.abs(difference) > SURE * error ? drift : 0;
}

/** What speaks against a measurement; empty where nothing does. `tick` is the clock's resolution in milliseconds. */
export function noiseOf({ mean, median, interval, roundMeans }: Omit<Timing, 'runs' | 'minimum'>, tick = 0): string[] {
  const found: string[] = [];
  const half = (interval[1] - interval[0]) / 2 / mean;
  if (half > WIDE)
    found.push(`the mean is only known to ± ${percent(half)}: other programs were running, or the clock rate changed`);
  const drift = driftOf(roundMeans);
  if (drift !== 0)
    found.push(
      drift > 0
        ? `it became ${percent(drift)} slower from the first to the last rounds: heat, or other work that began`
        : `it became ${percent(-drift)} faster from the first to the last rounds: it was not warm, or other work ended`,
    );
  if (tick > COARSE * median)
    found.push(`the clock here ticks every ${Number(tick.toPrecision(2))} ms, too coarse for single runs`);
  return found;
}

/** Resolution of a clock in milliseconds: the smallest step seen in a few thousand readings. */
export function clockTick(clock: () => number): number {
  let smallest = Number.POSITIVE_INFINITY;
  let last = clock();
  for (let reading = 0; reading < 20_000; reading++) {
    const now = clock();
    if (now > last) smallest = Math.min(smallest, now - last);
    last = now;
  }
  return Number.isFinite(smallest) ? smallest : 0;
}

/** Results in plain words, for the page and the terminal. */
import { compareMeasurements } from '../compare.ts';
import type { Measurement } from '../measure.ts';
import { RUNTIMES, type RuntimeKey } from '../runtimes.ts';
import { type Soak, soakText } from '../soak.ts';

/** Three significant digits. */
export const briefly = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));

/** E.g. `5 minutes`. */
export const spanText = (seconds: number): string =>
  seconds < 90 ? `${briefly(seconds)} seconds` : `${briefly(seconds / 60)} minutes`;

/** E.g. `mobileone, WebAssembly SIMD, 4 threads`. */
export function titleOf({ key, threads }: Pick<Measurement, 'key' | 'threads'>): string {
  const title = RUNTIMES[key as RuntimeKey] ?? key;
  return /WebGPU|WebNN/.test(title) ? title : `${title}, ${threads} thread${threads > 1 ? 's' : ''}`;
}

/** What a time means for someone who wants to use it. */
export function meaningOf(milliseconds: number): string {
  if (milliseconds <= 1000 / 60) return 'fast enough for live video at 60 frames a second';
  if (milliseconds <= 1000 / 30) return 'fast enough for live video at 30 frames a second';
  if (milliseconds <= 100) return 'felt as immediate, but too slow for every frame of a video';
  if (milliseconds <= 1000) return 'good for single photos, with a noticeable wait';
  return 'too slow to wait for';
}

/** The findings of a device's measurements, the most important first. */
export function findings(measurements: readonly Measurement[], soaks: readonly Soak[] = []): string[] {
  const sorted = [...measurements].sort((a, b) => a.mean - b.mean);
  const [best, ...others] = sorted;
  const said: string[] = [];
  if (best) {
    said.push(
      `Fastest: ${titleOf(best)}, ${briefly(best.mean)} ms a run (${briefly(1000 / best.mean)} a second): ${meaningOf(best.mean)}.`,
      `Opening it takes ${briefly(best.coldStart)} ms and the first run ${briefly(best.firstRun)} ms, once.`,
    );
    for (const other of others) {
      const { ratio, interval } = compareMeasurements(other, best);
      said.push(
        interval[0] > 1
          ? `${titleOf(other)} takes ${briefly(ratio)} times as long (${briefly(other.mean)} ms).`
          : `${titleOf(other)} is as fast, within what can be told apart (${briefly(other.mean)} ms).`,
      );
    }
  }
  for (const soaked of soaks) {
    said.push(`${titleOf(soaked)}, ${spanText(soaked.seconds)} without a pause: ${soakText(soaked)}`);
  }
  return said;
}

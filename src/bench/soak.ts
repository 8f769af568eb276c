/** Minutes of nothing but running: what a device does when it gets warm. */
import type { Subject } from './measure.ts';
import { ascending, average, middle } from './statistics.ts';

/** Runs of one stretch of time; milliseconds. */
export interface SoakWindow {
  /** Seconds from the beginning. */
  readonly from: number;
  readonly to: number;
  readonly runs: number;
  readonly mean: number;
  readonly median: number;
  readonly minimum: number;
}

export interface Soak {
  readonly name: string;
  readonly key: string;
  readonly runtime: string;
  readonly settings: string;
  readonly threads: number;
  readonly seconds: number;
  /** Seconds of a window: a minute, or a fifth of a shorter soak than five minutes. */
  readonly windowSeconds: number;
  readonly windows: readonly SoakWindow[];
}

/** Length of a window: a minute, but a fifth of a soak that is shorter than five. */
export const soakWindow = (seconds: number): number => Math.min(60, seconds / 5);

export interface SoakOptions {
  readonly seconds: number;
  readonly onWindow?: (window: SoakWindow) => void;
  /** Milliseconds since some moment; tests put their own here. */
  readonly clock?: () => number;
  /** Ends the soak early; what was measured so far is returned. */
  readonly signal?: AbortSignal;
}

const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
/** Without a pause for events this long, pages and Ctrl-C would seem dead. */
const BREATHE_MS = 1000;

/** Runs a subject without a pause for so many seconds and sums up each window; the first run (not counted) warms it up. */
export async function soak(subject: Subject, options: SoakOptions): Promise<Soak> {
  const { seconds, onWindow = () => {}, clock = () => performance.now(), signal } = options;
  const length = soakWindow(seconds);
  const program = await subject.open();
  const windows: SoakWindow[] = [];
  try {
    await program.run();
    const began = clock();
    let times: number[] = [];
    let from = 0;
    let due = length;
    let elapsed = 0;
    let breathed = began;
    let before = began;
    while (elapsed < seconds && !signal?.aborted) {
      await program.run();
      const after = clock();
      times.push(after - before);
      before = after;
      elapsed = (after - began) / 1000;
      if (elapsed >= due) {
        windows.push(summarize(times, from, elapsed));
        onWindow(windows.at(-1)!);
        [times, from, due] = [[], elapsed, (Math.floor(elapsed / length) + 1) * length];
      }
      if (after - breathed > BREATHE_MS) {
        await breathe();
        before = breathed = clock();
      }
    }
    const { name, key, runtime, settings, threads } = subject;
    return { name, key, runtime, settings, threads, seconds, windowSeconds: length, windows };
  } finally {
    await program.dispose();
  }
}

function summarize(times: readonly number[], from: number, to: number): SoakWindow {
  const sorted = ascending(times);
  return { from, to, runs: times.length, mean: average(times), median: middle(sorted), minimum: sorted[0]! };
}

/** By how much the end is slower than the beginning: 1.3 is 30 % slower; undefined with fewer than two windows. */
export function slowdown({ windows }: Pick<Soak, 'windows'>): number | undefined {
  const [first, last] = [windows[0], windows.at(-1)];
  return first && last && first !== last ? last.median / first.median : undefined;
}

/** What a soak found, in a sentence. */
export function soakText(soaked: Pick<Soak, 'windows' | 'seconds'>): string {
  const ratio = slowdown(soaked);
  if (ratio === undefined) return 'It was ended before a second stretch of time, so nothing can be said about heat.';
  const share = Math.abs(ratio - 1);
  if (share < 0.05) return `It is as fast at the end as at the beginning (${(100 * (ratio - 1)).toFixed(1)} %).`;
  return ratio > 1
    ? `It ends ${(100 * share).toFixed(0)} % slower than it began: plan for the slower figure, phones get warm.`
    : `It ends ${(100 * share).toFixed(0)} % faster than it began: other work ended meanwhile, or the clock rate rose.`;
}

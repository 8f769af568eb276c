/** Shows a run: a bar on a terminal, plain lines elsewhere, or its events as JSON. */
import pc from 'picocolors';
import type { EpochMetrics, RunEvent } from '../core/events.ts';
import type { Io } from './io.ts';
import type { LoaderHooks } from './open-data.ts';

/** Seconds as `45 s`, `12:30` or `3:05:00`. */
export function durationText(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const two = (n: number): string => String(n).padStart(2, '0');
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

const rateText = (rate: number): string => (rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3));
const BAR = 24;
const PLAIN_SECONDS = 30;
const BAR_SECONDS = 0.1;
/** Room for what is being done, so that the bar beside it stays where it is. */
const WHAT = 34;

function barText(done: number): string {
  const full = Math.round(done * BAR);
  return pc.cyan('█'.repeat(full)) + pc.dim('░'.repeat(BAR - full));
}

/** The score that tells how good an epoch is. */
export function scoreText({ valTop1, valMap }: EpochMetrics, digits = 2): string {
  return valMap === undefined ? `top-1 ${valTop1.toFixed(digits)} %` : `mAP ${valMap.toFixed(digits)} %`;
}

/** The line of a finished epoch. */
export function epochText(metrics: EpochMetrics, epochs: number, classes: number, best: boolean): string {
  const { epoch, trainLoss, trainTop1, valLoss, valTop5, valMap, imagesPerSecond, seconds } = metrics;
  const several = valMap !== undefined;
  // Of five classes or fewer top-5 says nothing.
  const top5 = classes > 5 && !several ? ` top-5 ${valTop5.toFixed(1)} %` : '';
  return [
    `epoch ${epoch + 1}/${epochs}`,
    `train loss ${trainLoss.toFixed(3)}${several ? '' : ` top-1 ${trainTop1.toFixed(1)} %`}`,
    `val loss ${valLoss.toFixed(3)} ${scoreText(metrics, 1)}${top5}${best ? ' (best)' : ''}`,
    `${rateText(imagesPerSecond)} images/s`,
    durationText(seconds),
  ].join('  ');
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1);

/** What the process holds, and what of it is the training step's, if that is known. */
function memoryText(engineBytes: number | undefined): string {
  const engine = engineBytes === undefined ? '' : ` (step ${gigabytes(engineBytes)})`;
  return `${gigabytes(process.memoryUsage.rss())} GB${engine}`;
}

/** Makes the function that shows events as they come; `engineBytes` is the memory of the training step. */
export function showEvents(io: Io, json: boolean, engineBytes?: number): (event: RunEvent) => void {
  if (json) return jsonEvents(io);
  let epochs = 0;
  let stepsPerEpoch = 0;
  let classCount = 0;
  let several = false;
  let shown = performance.now();
  let barShown = false;
  const line = (text: string): void => {
    if (barShown) io.raw('\r\x1b[2K');
    barShown = false;
    io.out(text);
  };
  return (event) => {
    switch (event.type) {
      case 'start': {
        ({ epochs, stepsPerEpoch, multiLabel: several = false } = event);
        const { run, trainImages, valImages, classes, resumedFrom } = event;
        classCount = classes.length;
        line(
          `${run}: ${classCount} classes${several ? ' (any number an image)' : ''}, ${trainImages} training and ${valImages} validation images`,
        );
        if (resumedFrom) line(`going on in epoch ${resumedFrom.epoch + 1}, after step ${resumedFrom.step}`);
        return;
      }
      case 'note':
        return line(event.message);
      case 'warning':
        return line(`${pc.yellow('warning:')} ${event.message}`);
      case 'skipped':
        return line(`${pc.yellow('skipped:')} ${event.reason}`);
      case 'phase':
        return line(`epoch ${event.epoch + 1}/${epochs}  training images of ${event.size} px`);
      case 'step': {
        const now = performance.now();
        if (now - shown < 1000 * (io.terminal ? BAR_SECONDS : PLAIN_SECONDS)) return;
        shown = now;
        const { epoch, step } = event;
        const parts = stepParts(event, stepsPerEpoch, several, engineBytes);
        if (!io.terminal) return io.out(`epoch ${epoch + 1}/${epochs}  step ${parts.filter(Boolean).join('  ')}`);
        barShown = true;
        const head = `epoch ${epoch + 1}/${epochs}`;
        const text = fitting([head, ...parts], io.columns() - 1);
        const room = io.columns() > BAR + text.length + 2;
        io.raw(`\r\x1b[2K${room ? text.replace(head, `${head}  ${barText(step / stepsPerEpoch)}`) : text}`);
        return;
      }
      case 'epoch':
        return line(epochText(event.metrics, epochs, classCount, event.best));
      case 'interrupted':
        return line(`interrupted in epoch ${event.epoch + 1}, after step ${event.step}; saved to ${event.checkpoint}`);
      default:
    }
  };
}

/** The parts of a step's line; top-1 is empty where images may have several labels. */
function stepParts(
  event: Extract<RunEvent, { type: 'step' }>,
  steps: number,
  several: boolean,
  engineBytes: number | undefined,
): string[] {
  const { step, loss, top1, lr, imagesPerSecond, etaSeconds } = event;
  return [
    `${step}/${steps}`,
    `loss ${loss.toFixed(3)}`,
    several ? '' : `top-1 ${top1.toFixed(1)} %`,
    `lr ${Number(lr.toPrecision(3))}`,
    `${rateText(imagesPerSecond)} images/s`,
    memoryText(engineBytes),
    `${durationText(etaSeconds)} left`,
  ];
}

/** Places of the parts that a narrow terminal does without, the first to go first: memory, lr, top-1. */
const LEAST = [6, 4, 3];

/** The parts in one line of at most `columns` characters: a longer one would wrap and could not be wiped. */
function fitting(parts: readonly string[], columns: number): string {
  const gone = LEAST.map((_, i) => new Set(LEAST.slice(0, i)));
  const lines = [...gone, new Set(LEAST)].map((left) => parts.filter((part, i) => part && !left.has(i)).join('  '));
  return lines.find(({ length }) => length <= columns) ?? lines.at(-1)!.slice(0, columns);
}

/** Events as JSON lines; of steps at most one a second. */
function jsonEvents(io: Io): (event: RunEvent) => void {
  const keep = thinSteps();
  return (event) => {
    if (keep(event)) io.out(JSON.stringify(event));
  };
}

/** Tells which events to keep so that of steps there is at most one a second. */
export function thinSteps(): (event: RunEvent) => boolean {
  let last = Number.NEGATIVE_INFINITY;
  return ({ type }) => {
    if (type !== 'step') return true;
    const now = performance.now();
    if (now - last < 1000) return false;
    last = now;
    return true;
  };
}

/** What loaders tell, for commands without a run: warnings and skipped images on stderr, a count on the terminal. */
export function loaderHooks(
  io: Io,
  json = false,
): { readonly skipped: { path: string; reason: string }[] } & LoaderHooks {
  const skipped: { path: string; reason: string }[] = [];
  return {
    skipped,
    onSkip(skip) {
      skipped.push(skip);
      if (!json) io.err(`${pc.yellow('skipped:')} ${skip.reason}`);
    },
    onWarning: (message) => io.err(`${pc.yellow('warning:')} ${message}`),
    onProgress: countImages(io, json),
  };
}

/** Shows how many images have been read, or how much of something else is done, on a terminal. */
export function countImages(io: Io, json: boolean, what = 'reading images'): (done: number, total: number) => void {
  const show = countProgress(io, json);
  return (done, total) => show(done, total, what);
}

/** Shows how far a task has come and how long it will take, on a terminal; another `what` begins anew. */
export function countProgress(io: Io, json: boolean): (done: number, total: number, what: string) => void {
  let shown = 0;
  let began = 0;
  let task = '';
  return (done, total, what) => {
    if (!io.terminal || json) return;
    const now = performance.now();
    if (what !== task || done <= 1) [task, began] = [what, now];
    if (done < total && now - shown < 1000 * BAR_SECONDS) return;
    shown = now;
    const seconds = (now - began) / 1000;
    const left = seconds > 1 ? `  ${durationText((seconds / done) * (total - done))} left` : '';
    io.raw(done < total ? `\r\x1b[2K${what}  ${barText(done / total)}  ${done}/${total}${left}` : '\r\x1b[2K');
  };
}

/**
 * Shows the part of a task that is done and how long the rest will take, where the steps are of no interest: a bar on a terminal, a
 * line now and then elsewhere, or events as JSON. Another first word of `what` begins anew.
 */
export function shareProgress(io: Io, json: boolean): (done: number, total: number, what: string) => void {
  let shown = Number.NEGATIVE_INFINITY;
  let began = 0;
  let from = 0;
  let task = '';
  return (done, total, what) => {
    const now = performance.now();
    const first = what.split(' ')[0]!;
    if (first !== task) [task, began, from] = [first, now, done];
    const pause = io.terminal && !json ? BAR_SECONDS : json ? 1 : PLAIN_SECONDS;
    if (done < total && now - shown < 1000 * pause) return;
    shown = now;
    const seconds = (now - began) / 1000;
    const left = done > from && seconds > 1 ? (seconds / (done - from)) * (total - done) : undefined;
    const part = done / total;
    if (json)
      return io.out(
        JSON.stringify({ type: 'progress', what, part, ...(left === undefined ? {} : { etaSeconds: left }) }),
      );
    const rest = left === undefined ? '' : `  ${durationText(left)} left`;
    if (!io.terminal) return done < total ? io.out(`${what}  ${Math.round(100 * part)} %${rest}`) : undefined;
    io.raw(done < total ? `\r\x1b[2K${what.padEnd(WHAT)}  ${barText(part)}${rest}` : '\r\x1b[2K');
  };
}

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

function barText(done: number): string {
  const full = Math.round(done * BAR);
  return pc.cyan('█'.repeat(full)) + pc.dim('░'.repeat(BAR - full));
}

/** The line of a finished epoch. */
export function epochText(metrics: EpochMetrics, epochs: number, classes: number, best: boolean): string {
  const { epoch, trainLoss, trainTop1, valLoss, valTop1, valTop5, imagesPerSecond, seconds } = metrics;
  // Of five classes or fewer top-5 says nothing.
  const top5 = classes > 5 ? ` top-5 ${valTop5.toFixed(1)} %` : '';
  return [
    `epoch ${epoch + 1}/${epochs}`,
    `train loss ${trainLoss.toFixed(3)} top-1 ${trainTop1.toFixed(1)} %`,
    `val loss ${valLoss.toFixed(3)} top-1 ${valTop1.toFixed(1)} %${top5}${best ? ' (best)' : ''}`,
    `${rateText(imagesPerSecond)} images/s`,
    durationText(seconds),
  ].join('  ');
}

/** Makes the function that shows events as they come. */
export function showEvents(io: Io, json: boolean): (event: RunEvent) => void {
  if (json) return jsonEvents(io);
  let epochs = 0;
  let stepsPerEpoch = 0;
  let classCount = 0;
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
        ({ epochs, stepsPerEpoch } = event);
        const { run, trainImages, valImages, classes, resumedFrom } = event;
        classCount = classes.length;
        line(`${run}: ${classCount} classes, ${trainImages} training and ${valImages} validation images`);
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
        const { epoch, step, loss, imagesPerSecond, etaSeconds } = event;
        const text = `${step}/${stepsPerEpoch}  loss ${loss.toFixed(3)}  ${rateText(imagesPerSecond)} images/s  ${durationText(etaSeconds)} left`;
        if (!io.terminal) return io.out(`epoch ${epoch + 1}/${epochs}  step ${text}`);
        barShown = true;
        const room = io.columns() >= BAR + text.length + 24;
        io.raw(`\r\x1b[2Kepoch ${epoch + 1}/${epochs}  ${room ? `${barText(step / stepsPerEpoch)}  ` : ''}${text}`);
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

/** Shows how many images have been read, on a terminal. */
export function countImages(io: Io, json: boolean): (done: number, total: number) => void {
  let shown = 0;
  return (done, total) => {
    if (!io.terminal || json) return;
    const now = performance.now();
    if (done < total && now - shown < 1000 * BAR_SECONDS) return;
    shown = now;
    io.raw(done < total ? `\r\x1b[2Kreading images  ${barText(done / total)}  ${done}/${total}` : '\r\x1b[2K');
  };
}

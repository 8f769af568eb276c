/** What `mobileone bench` prints. */
import type { Device } from '../../bench/device.ts';
import type { Measurement } from '../../bench/measure.ts';
import type { LatencyPrediction } from '../../bench/predict/predict.ts';
import { protocolText } from '../../bench/protocol.ts';
import type { Session } from '../../bench/results/session.ts';
import { type Soak, soakText } from '../../bench/soak.ts';
import { textTable } from '../text-table.ts';

/** Milliseconds with three digits after the point below ten. */
export const ms = (value: number): string => value.toFixed(value < 10 ? 3 : 2);

const threadText = (threads: number): string => `${threads} thread${threads > 1 ? 's' : ''}`;

/** A device in a line. */
export function deviceText({ cpu, cores, system, host, gpu, mobileone }: Device): string {
  return [cpu, `${cores} core${cores > 1 ? 's' : ''}`, system, host, gpu, `mobileone ${mobileone}`]
    .filter(Boolean)
    .join(', ');
}

/** The first lines: what was measured, on what, and how. */
export function headLines({ model, device, protocol }: Pick<Session, 'model' | 'device' | 'protocol'>): string[] {
  return [
    `${model.name}, ${model.batch} image${model.batch > 1 ? 's' : ''} of ${model.size} px`,
    deviceText(device),
    `${protocolText(protocol)}; milliseconds`,
  ];
}

/** Rows of results; `times` is relative to the fastest. */
export function resultLines(results: readonly Measurement[]): string[] {
  const best = Math.min(...results.map(({ mean }) => mean));
  return textTable(
    [
      ['', 'runtime', 'threads', 'minimum', 'median', 'mean', '95 %', 'first run', 'cold start', 'times'],
      ...results.map((row) => [
        row.name,
        [row.runtime, row.settings].filter(Boolean).join('; '),
        String(row.threads),
        ms(row.minimum),
        ms(row.median),
        ms(row.mean),
        `${ms(row.interval[0])} – ${ms(row.interval[1])}`,
        ms(row.firstRun),
        ms(row.coldStart),
        (row.mean / best).toFixed(2),
      ]),
    ],
    2,
  );
}

/** A measurement in few words: `fused on wasm, 2 threads`. */
export const named = ({ name, key, threads }: Pick<Measurement, 'name' | 'key' | 'threads'>): string =>
  `${name} on ${key}, ${threadText(threads)}`;

/** Outputs that differ by more than this, relative to the largest, are another model's. */
const SAME = 1e-3;

/** Kinds of layers that are shown; the others are summed up. */
const KINDS = 8;

/** Where the predicted time goes, by kind of layer. */
export function kindLines({ kinds, milliseconds }: Pick<LatencyPrediction, 'kinds' | 'milliseconds'>): string[] {
  const rest = kinds.slice(KINDS);
  const others = {
    kind: `${rest.length} other kinds`,
    layers: rest.reduce((sum, { layers }) => sum + layers, 0),
    milliseconds: rest.reduce((sum, one) => sum + one.milliseconds, 0),
  };
  const shown = rest.length > 1 ? [...kinds.slice(0, KINDS), others] : kinds;
  const rows = shown.map((one) => [
    ...[one.kind, String(one.layers), ms(one.milliseconds)],
    `${((100 * one.milliseconds) / milliseconds || 0).toFixed(1)} %`,
  ]);
  return textTable([['layers', 'number', 'ms', 'share'], ...rows]);
}

/** What should make one doubt results. */
export function doubtLines(results: readonly Measurement[]): string[] {
  const first = results[0];
  return results.flatMap((row) => [
    ...row.noise.map((reason) => `noisy: ${named(row)}: ${reason}.`),
    ...(first && (row.difference ?? 0) > SAME
      ? [
          `differs: ${named(row)} answers differently from ${named(first)}, by ${(100 * row.difference!).toPrecision(2)} % of the largest logit.`,
        ]
      : []),
  ]);
}

/** `12:30`, or `1.2 s` where a soak is too short for minutes. */
const clockText = (seconds: number, all: number): string =>
  all < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`;

/** The curve of a soak, and what it says. */
export function soakLines(soaked: Soak): string[] {
  const first = soaked.windows[0];
  const top = Math.max(...soaked.windows.map(({ median }) => median));
  return [
    `${named(soaked)} (${soaked.runtime})`,
    ...textTable(
      [
        ['until', 'runs', 'minimum', 'median', 'mean', 'to the first', ''],
        ...soaked.windows.map((window) => [
          clockText(window.to, soaked.seconds),
          String(window.runs),
          ms(window.minimum),
          ms(window.median),
          ms(window.mean),
          (window.median / first!.median).toFixed(3),
          '█'.repeat(Math.max(1, Math.round((24 * window.median) / top))).padEnd(24),
        ]),
      ],
      1,
    ),
    soakText(soaked),
  ];
}

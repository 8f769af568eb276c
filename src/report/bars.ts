/** Bar charts as Vega-Lite specs: each bar under its name, so that they stay readable on a phone. */
import type { TopLevelSpec } from 'vega-lite';
import type { Measurement } from '../bench/measure.ts';
import { color } from './palette.ts';
import { CONFIG, titled, WIDTH } from './theme.ts';

interface Bar {
  readonly label: string;
  readonly value: number;
  /** Written at the end of the bar. */
  readonly text: string;
  readonly fill: string;
  /** 95 % interval. */
  readonly low?: number;
  readonly high?: number;
}

const STEP = 40;
const BAR = { height: 13, yOffset: 8 } as const;

/** Bars from top to bottom in the given order; `axis` names the quantity and its unit. */
function bars(values: readonly Bar[], title: string, axis: string): TopLevelSpec {
  const y = { field: 'label', type: 'nominal', sort: null, axis: null };
  // Numbers at the ends of bars need room inside the figure.
  const longest = Math.max(...values.map(({ value, high = value }) => high));
  const scale = { domain: [0, longest * 1.25], nice: false };
  const x = { field: 'value', type: 'quantitative', scale, axis: { title: axis, tickCount: 5, grid: false } };
  const text = (options: object, encoding: object): object => ({
    mark: { type: 'text', align: 'left', fontSize: 12, color: color('ink'), ...options },
    encoding: { y, ...encoding },
  });
  const intervals = values.some(({ high }) => high !== undefined);
  return {
    title: titled(title),
    data: { values },
    width: WIDTH,
    height: { step: STEP },
    config: CONFIG,
    layer: [
      { mark: { type: 'bar', ...BAR }, encoding: { y, x, color: { field: 'fill', type: 'nominal', scale: null } } },
      ...(intervals
        ? [
            {
              mark: { type: 'rule', color: color('ink'), strokeWidth: 1.5, yOffset: BAR.yOffset },
              encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' } },
            },
          ]
        : []),
      text({ yOffset: -8, x: 0 }, { text: { field: 'label', type: 'nominal' } }),
      text(
        { yOffset: BAR.yOffset, dx: 6 },
        { x: { ...x, field: intervals ? 'high' : 'value' }, text: { field: 'text', type: 'nominal' } },
      ),
    ],
  } as TopLevelSpec;
}

/** Two classes that are mistaken for one another. */
export interface Confusion {
  readonly label: string;
  readonly predicted: string;
  /** How often, or how strongly, in `unit`. */
  readonly value: number;
}

/** Bars of the most confused pairs, in the given order; the title speaks of the first. */
export function confusionFigure(pairs: readonly Confusion[], unit: string): TopLevelSpec {
  const top = pairs[0]!;
  const values = pairs.map(({ label, predicted, value }) => ({
    label: `${label} → ${predicted}`,
    value,
    text: String(Number(value.toPrecision(2))),
    fill: color('second'),
  }));
  return bars(values, `Worst of all, "${top.label}" is taken for "${top.predicted}"`, unit);
}

/** Bars of latency with 95 % intervals. */
export function latencyFigure(rows: readonly Measurement[]): TopLevelSpec {
  const values = rows.map(({ name, runtime, mean, interval }) => ({
    label: `${shortRuntime(runtime)}, ${name}`,
    value: mean,
    low: Math.max(0, interval[0]),
    high: interval[1],
    text: `${milliseconds(mean)} ms`,
    fill: name === 'fused' ? color('first') : color('muted'),
  }));
  return bars(values, latencyFinding(rows), 'milliseconds a run (mean, 95 % interval)');
}

/** Three significant digits, whole from 100 on. */
export function milliseconds(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** `onnxruntime-web 1.30.0` → `onnxruntime-web`; `wasm, relaxed SIMD …` → `wasm`. */
export function shortRuntime(runtime: string): string {
  return runtime.split(/[ ,]/)[0]!;
}

function latencyFinding(rows: readonly Measurement[]): string {
  const fused = rows.find(({ name }) => name === 'fused');
  const train = rows.find(({ name, runtime }) => name !== 'fused' && runtime === fused?.runtime);
  if (!fused) return 'Time of a run';
  const runtime = shortRuntime(fused.runtime);
  if (!train) return `A run takes ${milliseconds(fused.mean)} ms on ${runtime}`;
  return `Fused is ${(train.mean / fused.mean).toFixed(1)} times as fast as the train form (${runtime})`;
}

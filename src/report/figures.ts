/** Figures as Vega-Lite specs. Every title says what there is to see; axes carry units. */
import type { TopLevelSpec } from 'vega-lite';
import type { Measurement } from '../bench/measure.ts';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics } from '../core/events.ts';
import { color } from './palette.ts';

/** Drawing width in pixels: small enough to stay readable on a phone. */
const WIDTH = 400;
const HEIGHT = 230;

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const CONFIG: NonNullable<TopLevelSpec['config']> = {
  background: 'transparent',
  font: FONT,
  view: { stroke: null },
  title: {
    color: color('ink'),
    fontSize: 14,
    fontWeight: 600,
    subtitleColor: color('muted'),
    subtitleFontSize: 12,
    offset: 14,
  },
  axis: {
    labelColor: color('muted'),
    titleColor: color('muted'),
    gridColor: color('grid'),
    domainColor: color('grid'),
    tickColor: color('grid'),
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 400,
  },
};

/** Breaks a title into lines that fit the figure. */
function titled(
  title: string,
  subtitle?: string,
): { text: string[]; subtitle?: string[]; anchor: 'start'; frame: 'group' } {
  return {
    text: wrap(title, 58),
    ...(subtitle ? { subtitle: wrap(subtitle, 68) } : {}),
    anchor: 'start',
    frame: 'group',
  };
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}

interface Series {
  readonly name: string;
  readonly color: string;
  readonly values: readonly number[];
}

/** Lines over epochs, each named at its end. */
function lines(
  series: readonly Series[],
  axis: { title: string; domain?: [number, number] },
): TopLevelSpec & { layer: unknown[] } {
  const points = series.flatMap(({ name, values }) =>
    values.map((value, i) => ({ series: name, epoch: i + 1, value })),
  );
  const last = series.map(({ name, values }) => ({ series: name, epoch: values.length, value: values.at(-1)! }));
  const scale = { domain: series.map(({ name }) => name), range: series.map((one) => one.color) };
  const hue = { field: 'series', type: 'nominal' as const, scale, legend: null };
  const x = { field: 'epoch', type: 'quantitative' as const, axis: { title: 'epoch', grid: false, tickMinStep: 1 } };
  const y = {
    field: 'value',
    type: 'quantitative' as const,
    axis: { title: axis.title },
    scale: axis.domain ? { domain: axis.domain } : { zero: true },
  };
  return {
    data: { values: points },
    layer: [
      { mark: { type: 'line', strokeWidth: 2 }, encoding: { x, y, color: hue } },
      { data: { values: last }, mark: { type: 'point', filled: true, size: 45 }, encoding: { x, y, color: hue } },
      {
        data: { values: last },
        mark: { type: 'text', align: 'right', baseline: 'bottom', dx: 4, dy: -7, fontSize: 12, fontWeight: 600 },
        encoding: { x, y, color: hue, text: { field: 'series', type: 'nominal' } },
      },
    ],
  } as TopLevelSpec & { layer: unknown[] };
}

const percent = (value: number): string => `${Number(value.toFixed(1))} %`;

/** Loss over epochs. */
export function lossFigure(epochs: readonly EpochMetrics[]): TopLevelSpec {
  const [first, last] = [epochs[0]!, epochs.at(-1)!];
  const series = [
    { name: 'training', color: color('second'), values: epochs.map(({ trainLoss }) => trainLoss) },
    { name: 'validation', color: color('first'), values: epochs.map(({ valLoss }) => valLoss) },
  ];
  return {
    ...lines(series, { title: 'cross entropy (nats)' }),
    title: titled(
      `Validation loss went from ${first.valLoss.toFixed(2)} to ${last.valLoss.toFixed(2)} in ${epochs.length} epochs`,
      'Training loss is on augmented images, with smoothed labels',
    ),
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
  };
}

/** A result to be beaten, drawn as a line across. */
export interface Baseline {
  readonly name: string;
  /** Percent. */
  readonly top1: number;
}

/** Accuracy over epochs, with a baseline as a rule. */
export function accuracyFigure(epochs: readonly EpochMetrics[], baseline?: Baseline): TopLevelSpec {
  const last = epochs.at(-1)!;
  const base = lines(
    [
      { name: 'top-5', color: color('muted'), values: epochs.map(({ valTop5 }) => valTop5) },
      { name: 'top-1', color: color('first'), values: epochs.map(({ valTop1 }) => valTop1) },
    ],
    { title: 'validation accuracy (%)', domain: [0, 100] },
  );
  const y = { field: 'top1', type: 'quantitative' };
  const rule = baseline && [
    {
      data: { values: [baseline] },
      mark: { type: 'rule', strokeDash: [5, 4], strokeWidth: 1.5, color: color('second') },
      encoding: { y },
    },
    {
      data: { values: [{ ...baseline, label: `${baseline.name}: ${percent(baseline.top1)}` }] },
      mark: { type: 'text', align: 'right', baseline: 'top', dy: 5, fontSize: 12, color: color('second'), x: 'width' },
      encoding: { y, text: { field: 'label', type: 'nominal' } },
    },
  ];
  return {
    ...base,
    layer: [...base.layer, ...(rule ?? [])],
    title: titled(
      `The first answer is right on ${percent(last.valTop1)} of unseen images${baseline ? `, ${baseline.name} on ${percent(baseline.top1)}` : ''}`,
    ),
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
  } as TopLevelSpec;
}

/** Two classes that are mistaken for one another. */
export interface Confusion {
  readonly label: string;
  readonly predicted: string;
  /** How often, or how strongly, in `unit`. */
  readonly value: number;
}

/** A name that leaves room for the bars. */
const short = (name: string): string => (name.length > 20 ? `${name.slice(0, 19)}…` : name);

/** Bars of the most confused pairs, in the given order. */
export function confusionFigure(pairs: readonly Confusion[], unit: string): TopLevelSpec {
  const top = pairs[0]!;
  const values = pairs.map(({ label, predicted, value }) => ({ pair: `${short(label)} → ${short(predicted)}`, value }));
  return {
    title: titled(`"${top.label}" is most often taken for "${top.predicted}"`),
    data: { values },
    mark: { type: 'bar', color: color('second'), height: { band: 0.65 } },
    encoding: {
      y: {
        field: 'pair',
        type: 'nominal',
        sort: null,
        axis: { title: null, labelLimit: 0, domain: false, ticks: false },
      },
      x: { field: 'value', type: 'quantitative', axis: { title: unit, tickCount: 4 } },
    },
    width: 230,
    height: { step: 24 },
    config: CONFIG,
  };
}

/** Bars of latency with 95 % intervals, fastest last; `unfused` and `fused` of the title are names of rows. */
export function latencyFigure(rows: readonly Measurement[]): TopLevelSpec {
  const values = rows.map(({ name, runtime, mean, interval }) => {
    const label = `${shortRuntime(runtime)}, ${name}`;
    return {
      label,
      mean,
      low: interval[0],
      high: interval[1],
      fused: name === 'fused',
      text: `${mean.toPrecision(3)} ms`,
    };
  });
  const y = {
    field: 'label',
    type: 'nominal',
    sort: null,
    axis: { title: null, labelLimit: 0, domain: false, ticks: false },
  };
  const x = {
    field: 'mean',
    type: 'quantitative',
    axis: { title: 'milliseconds a run (mean and 95 % interval)', tickCount: 5 },
  };
  return {
    title: titled(latencyFinding(rows)),
    data: { values },
    width: 250,
    height: { step: 26 },
    config: CONFIG,
    encoding: { y },
    layer: [
      {
        mark: { type: 'bar', height: { band: 0.65 } },
        encoding: {
          x,
          color: { condition: { test: 'datum.fused', value: color('first') }, value: color('muted') },
        },
      },
      {
        mark: { type: 'rule', color: color('ink'), strokeWidth: 1.5 },
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 8, fontSize: 12, color: color('ink') },
        encoding: { x: { ...x, field: 'high' }, text: { field: 'text', type: 'nominal' } },
      },
    ],
  } as TopLevelSpec;
}

/** `onnxruntime-web 1.30.0` → `onnxruntime-web`; `wasm, relaxed SIMD …` → `wasm`. */
export function shortRuntime(runtime: string): string {
  return runtime.split(/[ ,]/)[0]!;
}

function latencyFinding(rows: readonly Measurement[]): string {
  const fused = rows.find(({ name }) => name === 'fused');
  const train = rows.find(({ name, runtime }) => name !== 'fused' && runtime === fused?.runtime);
  if (!fused) return 'Time of a run';
  if (!train) return `A run takes ${fused.mean.toPrecision(3)} ms on ${shortRuntime(fused.runtime)}`;
  return `Fused runs ${(train.mean / fused.mean).toFixed(1)} times as fast as the train form on ${shortRuntime(fused.runtime)}`;
}

/** Draws a spec as SVG, in Node or a browser, without a canvas. Throws a UserError when Vega is missing. */
export async function drawFigure(spec: TopLevelSpec): Promise<string> {
  const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]).catch(() => {
    throw new UserError('Figures are drawn by Vega, which is not installed.', 'Install it: npm install vega vega-lite');
  });
  const { textMetrics } = vega as unknown as { textMetrics: { width: unknown; estimateWidth: unknown } };
  if (textMetrics.width === textMetrics.estimateWidth) {
    textMetrics.width = (item: { fontSize?: number }, text: unknown) =>
      textWidth(String(text ?? ''), item.fontSize ?? 11);
  }
  const view = new vega.View(vega.parse(lite.compile(spec).spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Width of text in pixels, near enough for a sans-serif font; Vega's own guess without a canvas is half too wide. */
function textWidth(text: string, fontSize: number): number {
  const em = [...text].map((character) => {
    if (/[ijlI.,:;'|!()[\] ]/.test(character)) return 0.33;
    return /[mwMW→%]/.test(character) ? 0.87 : 0.58;
  });
  return fontSize * em.reduce((sum, width) => sum + width, 0);
}

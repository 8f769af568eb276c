/** Curves of training as Vega-Lite specs. Every title says what there is to see; axes carry units. */
import type { TopLevelSpec } from 'vega-lite';
import type { EpochMetrics } from '../core/events.ts';
import { color } from './palette.ts';
import { CONFIG, HEIGHT, titled, WIDTH } from './theme.ts';

interface Series {
  readonly name: string;
  readonly color: string;
  readonly values: readonly number[];
}

/** Lines over epochs, each named at its end: the highest above its line, the others below theirs. */
function lines(
  series: readonly Series[],
  axis: { title: string; domain?: [number, number] },
): TopLevelSpec & { layer: unknown[] } {
  const points = series.flatMap(({ name, values }) =>
    values.map((value, i) => ({ series: name, epoch: i + 1, value })),
  );
  const last = series.map(({ name, values }) => ({ series: name, epoch: values.length, value: values.at(-1)! }));
  const highest = Math.max(...last.map(({ value }) => value));
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
      ...last.map((label) => ({
        data: { values: [label] },
        mark: {
          type: 'text',
          align: 'right',
          baseline: label.value < highest ? 'top' : 'bottom',
          dx: 4,
          dy: label.value < highest ? 7 : -7,
          fontSize: 12,
          fontWeight: 600,
        },
        encoding: { x, y, color: hue, text: { field: 'series', type: 'nominal' } },
      })),
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
    ...lines(series, { title: last.valMap === undefined ? 'cross entropy (nats)' : 'binary cross-entropy (nats)' }),
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

/** Accuracy over epochs (mean average precision where images may have several labels), with a baseline as a rule. */
export function accuracyFigure(epochs: readonly EpochMetrics[], baseline?: Baseline): TopLevelSpec {
  const last = epochs.at(-1)!;
  const several = last.valMap !== undefined;
  const base = lines(
    several
      ? [{ name: 'mAP', color: color('first'), values: epochs.map(({ valMap }) => valMap ?? 0) }]
      : [
          { name: 'top-5', color: color('muted'), values: epochs.map(({ valTop5 }) => valTop5) },
          { name: 'top-1', color: color('first'), values: epochs.map(({ valTop1 }) => valTop1) },
        ],
    { title: several ? 'mean average precision (%)' : 'validation accuracy (%)', domain: [0, 100] },
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
      several
        ? `Mean average precision on unseen images is ${percent(last.valMap)}`
        : `The first answer is right on ${percent(last.valTop1)} of unseen images${baseline ? `, ${baseline.name} on ${percent(baseline.top1)}` : ''}`,
    ),
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
  } as TopLevelSpec;
}

/** Runs beside each other as one HTML file: their curves over each other, results, and where their recipes differ. */
import type { TopLevelSpec } from 'vega-lite';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics } from '../core/events.ts';
import { figure, page, section, table } from './markup.ts';
import { type ColorName, color } from './palette.ts';
import { CONFIG, HEIGHT, titled, WIDTH } from './theme.ts';

export interface Compared {
  readonly runs: readonly { readonly name: string; readonly epochs: readonly EpochMetrics[] }[];
  /** Rows of text: a field of the recipe and its value in every run. */
  readonly recipes: readonly (readonly string[])[];
  /** Rows of text: a result and its value in every run. */
  readonly results: readonly (readonly string[])[];
}

const HUES: readonly ColorName[] = ['first', 'second', 'third', 'good', 'fifth', 'fourth', 'muted'];

/** Renders the page. Throws a UserError for more runs than colors, and where Vega is missing. */
export async function renderComparison({ runs, recipes, results }: Compared): Promise<string> {
  if (runs.length > HUES.length)
    throw new UserError(`${runs.length} curves can't be told apart.`, `Compare at most ${HUES.length} runs on a page.`);
  const names = runs.map(({ name }) => name);
  const columns = ['', ...names];
  const drawn = runs.some(({ epochs }) => epochs.length > 0)
    ? [
        await figure(comparisonFigure(runs, 'score'), 'validation accuracy of the runs'),
        await figure(comparisonFigure(runs, 'valLoss'), 'validation loss of the runs'),
        await figure(comparisonFigure(runs, 'trainLoss'), 'training loss of the runs'),
      ]
    : [];
  return page(`${runs.length} runs compared`, names.join(', '), [
    drawn.length > 0 ? section('Training', `<div class="figures">${drawn.join('')}</div>`) : '',
    section('Results', table(columns, results)),
    section(
      'Where their recipes differ',
      recipes.length > 0 ? table(columns, recipes) : '<p>Nowhere: every field is the same.</p>',
    ),
  ]);
}

type Quantity = 'score' | 'valLoss' | 'trainLoss';

const QUANTITIES: Readonly<Record<Quantity, { title: string; axis: string; higherIsBetter: boolean }>> = {
  score: { title: 'validation score', axis: 'validation score (%)', higherIsBetter: true },
  valLoss: { title: 'validation loss', axis: 'validation loss (nats)', higherIsBetter: false },
  trainLoss: { title: 'training loss', axis: 'training loss (nats)', higherIsBetter: false },
};

const scoreOrLoss = (metrics: EpochMetrics, quantity: Quantity): number =>
  quantity === 'score' ? (metrics.valMap ?? metrics.valTop1) : metrics[quantity];

/** The score is called what it is in all runs: mAP where images may have several labels, else top-1. */
function namesOf(runs: Compared['runs'], quantity: Quantity): { title: string; axis: string } {
  const several = runs.flatMap(({ epochs }) => epochs.map(({ valMap }) => valMap !== undefined));
  const name = several.every(Boolean) ? 'mAP' : several.some(Boolean) ? 'top-1 or mAP' : 'top-1';
  const { title, axis } = QUANTITIES[quantity];
  return { title: title.replace('score', name), axis: axis.replace('score', name) };
}

/** One quantity of every run over its epochs; the title names the run that got furthest. */
export function comparisonFigure(runs: Compared['runs'], quantity: Quantity): TopLevelSpec {
  const { higherIsBetter } = QUANTITIES[quantity];
  const { title, axis } = namesOf(runs, quantity);
  const values = runs.flatMap(({ name, epochs }) =>
    epochs.map((metrics, i) => ({ run: name, epoch: i + 1, value: scoreOrLoss(metrics, quantity) })),
  );
  const best = values.reduce((a, b) => (higherIsBetter === b.value > a.value && a.value !== b.value ? b : a));
  const scale = { domain: runs.map(({ name }) => name), range: runs.map((_, i) => color(HUES[i]!)) };
  const encoding = {
    x: { field: 'epoch', type: 'quantitative', axis: { title: 'epoch', grid: false, tickMinStep: 1 } },
    y: { field: 'value', type: 'quantitative', axis: { title: axis }, scale: { zero: false } },
    color: { field: 'run', type: 'nominal', scale, legend: LEGEND },
  };
  return {
    title: titled(`Best ${title}: ${Number(best.value.toPrecision(4))}, "${best.run}" in epoch ${best.epoch}`),
    data: { values },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      { mark: { type: 'line', strokeWidth: 2 }, encoding },
      { mark: { type: 'point', filled: true, size: 16, opacity: 1 }, encoding },
    ],
  } as TopLevelSpec;
}

const LEGEND = {
  ...{ title: null, orient: 'bottom', columns: 2, symbolType: 'stroke', symbolStrokeWidth: 3 },
  ...{ labelFontSize: 12, labelLimit: 180, labelColor: color('ink') },
};

/** How the cost of a training step grows, ours and PyTorch's: one small plot an axis. */
import type { TopLevelSpec } from 'vega-lite';
import { color } from '../src/report/palette.ts';
import { CONFIG } from '../src/report/theme.ts';
import type { Row } from './spec.ts';

const ORDER = ['PyTorch', 'ours, 128 bit', 'ours, 256 bit'];

/** A grid of line plots; each has its own axes, milliseconds an image from zero. */
export function growthFigure(rows: readonly Row[]): TopLevelSpec {
  const axes = [...new Set(rows.map(({ bench }) => bench))];
  const present = new Set<string>();
  const plots = axes.map((axis) => {
    const points = rows
      .filter(({ bench }) => bench === axis)
      .flatMap(({ at, subject, value, peerValue }) => {
        const width = subject.slice(subject.lastIndexOf(', ') + 2);
        return [
          { at, side: `ours, ${width}`, value },
          ...(peerValue === null ? [] : [{ at, side: 'PyTorch', value: peerValue }]),
        ];
      });
    for (const { side } of points) present.add(side);
    const title = axis.replace('growth: ', '');
    const ordinal = points.some(({ at }) => typeof at === 'string') || new Set(points.map(({ at }) => at)).size < 3;
    const sort = [...new Set(points.map(({ at }) => at))];
    return {
      width: 250,
      height: 190,
      data: { values: points },
      mark: { type: 'line', point: true, strokeWidth: 2 },
      encoding: {
        x: ordinal
          ? { field: 'at', type: 'ordinal', sort, axis: { title, labelAngle: 0 } }
          : {
              field: 'at',
              type: 'quantitative',
              axis: { title, values: title.startsWith('batch') ? [1, 4, 16, 64] : sort, grid: false },
              scale: { zero: false, ...(title.startsWith('batch') ? { type: 'log', base: 2 } : {}) },
            },
        y: {
          field: 'value',
          type: 'quantitative',
          aggregate: 'mean',
          axis: { title: 'ms/image' },
          scale: { zero: true },
        },
        color: {
          field: 'side',
          type: 'nominal',
          scale: { domain: ORDER, range: [color('second'), color('muted'), color('first')] },
          legend: { title: null, orient: 'top', labelFontSize: 12 },
        },
      },
    };
  });
  return {
    ...({ config: CONFIG } as object),
    title: { text: findings(rows), fontSize: 15, anchor: 'start', offset: 12 },
    columns: 2,
    concat: plots,
    resolve: { scale: { color: 'shared' } },
  } as unknown as TopLevelSpec;
}

/** What the figure shows, in one sentence. */
export function findings(rows: readonly Row[]): string {
  const of = (k: number): Row | undefined =>
    rows.filter(({ bench }) => bench.endsWith('branches k')).findLast(({ at }) => at === k);
  const [one, five] = [of(1), of(5)];
  if (!one || !five) return 'Milliseconds an image of a training step';
  const ours = (five.value / one.value).toFixed(1);
  const theirs = five.peerValue && one.peerValue ? `, PyTorch's ${(five.peerValue / one.peerValue).toFixed(1)}` : '';
  return `Five branches cost us ${ours} times what one costs${theirs ? ` (${theirs.slice(2)})` : ''}`;
}

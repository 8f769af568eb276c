/** Bars with intervals and the paper's values as ticks, and bars of parts, as Vega-Lite specs; each bar under its name. */
import type { TopLevelSpec } from 'vega-lite';
import type { Bars, Stack } from '../../studies/figures.ts';
import { type ColorName, color } from '../palette.ts';
import { CONFIG, titled } from '../theme.ts';
import { scaleFor } from './scale.ts';

const WIDTH = 520;
const STEP = 38;
const BAR = { height: 13, yOffset: 8 } as const;
/** Of parts, from left to right. */
const HUES: readonly ColorName[] = ['first', 'second', 'third', 'good', 'fifth', 'fourth', 'muted'];

const valueText = (value: number): string => String(Number(value.toPrecision(3))).replace('-', '−');
const y = { field: 'place', type: 'ordinal', axis: null, sort: null };
const text = (options: object, encoding: object): object => ({
  mark: { type: 'text', align: 'left', baseline: 'middle', fontSize: 12, color: color('ink'), ...options },
  encoding: { y, ...encoding },
});

export function barsSpec({ title, subtitle, axis, bars, referenceName = 'paper' }: Bars): TopLevelSpec {
  const shown = bars.flatMap(({ value, reference }) => (reference === undefined ? [value] : [value, reference]));
  const ends = bars.flatMap(({ interval = [] }) => interval);
  // Numbers at the ends of bars need room inside the figure.
  const [least, most] = [Math.min(...shown), Math.max(...shown, ...ends)];
  const room = axis.log ? most * (most / least) ** 0.16 : most + 0.16 * (most - Math.min(0, least, ...ends));
  const { encoding, domain, clip } = scaleFor(axis, [...shown, room], { zero: true, grid: false, ends });
  const values = bars.map((bar, place) => {
    const { label, value, interval: [low, high] = [value, value], reference, emphasized } = bar;
    return {
      ...{ place, label, value, low: clip(low), high: clip(high), reference: reference ?? null },
      end: Math.max(value, high, reference ?? value),
      text: bar.text ?? valueText(value),
      fill: color(emphasized ? 'first' : 'muted'),
    };
  });
  const x = (field: string): object => ({ field, type: 'quantitative', ...encoding });
  const base = axis.log ? domain[0] : 0;
  const references = values.filter(({ reference }) => reference !== null);
  return {
    title: titled(title, subtitle, WIDTH),
    data: { values },
    width: WIDTH,
    height: { step: STEP },
    config: CONFIG,
    layer: [
      {
        mark: { type: 'bar', ...BAR },
        encoding: { y, x: x('value'), x2: { datum: base }, color: { field: 'fill', type: 'nominal', scale: null } },
      },
      // A lighter line under the dark one, or it would not be seen on its bar.
      ...[
        { color: color('paper'), strokeWidth: 4 },
        { color: color('ink'), strokeWidth: 1.5 },
      ].map((line) => ({
        transform: [{ filter: 'datum.high > datum.low' }],
        mark: { type: 'rule', yOffset: BAR.yOffset, ...line },
        encoding: { y, x: x('low'), x2: { field: 'high' } },
      })),
      ...(references.length > 0
        ? [
            {
              data: { values: references.map((bar) => ({ ...bar, kind: referenceName })) },
              mark: { type: 'tick', thickness: 4, size: 19, opacity: 1, yOffset: BAR.yOffset, orient: 'vertical' },
              encoding: {
                ...{ y, x: x('reference') },
                color: {
                  ...{ field: 'kind', type: 'nominal', scale: { domain: [referenceName], range: [color('second')] } },
                  legend: {
                    title: null,
                    orient: 'bottom',
                    labelFontSize: 12,
                    labelLimit: 300,
                    labelColor: color('ink'),
                    symbolType: 'square',
                  },
                },
              },
            },
          ]
        : []),
      text({ yOffset: -8 }, { x: { value: 0 }, text: { field: 'label', type: 'nominal' } }),
      text({ yOffset: BAR.yOffset, dx: 6 }, { x: x('end'), text: { field: 'text', type: 'nominal' } }),
    ],
    resolve: { scale: { color: 'independent' } },
  } as TopLevelSpec;
}

export function stackSpec({ title, subtitle, axis, parts, stacks }: Stack): TopLevelSpec {
  const sums = stacks.map(({ values }) => parts.reduce((sum, part) => sum + (values[part] ?? 0), 0));
  const bits = stacks.flatMap(({ label, values }, place) => {
    let from = 0;
    return parts.map((part) => {
      const to = from + (values[part] ?? 0);
      const bit = { place, label, part, from, to };
      from = to;
      return bit;
    });
  });
  const names = stacks.map(({ label }, place) => ({ place, label, sum: sums[place]!, text: valueText(sums[place]!) }));
  const { encoding } = scaleFor(axis, [0, 1.12 * Math.max(...sums)], { zero: true, grid: false });
  const x = (field: string): object => ({ field, type: 'quantitative', ...encoding });
  const scale = { domain: parts, range: parts.map((_, i) => color(HUES[i % HUES.length]!)) };
  const legend = {
    title: null,
    orient: 'bottom',
    columns: 4,
    labelFontSize: 12,
    labelLimit: 200,
    labelColor: color('ink'),
  };
  return {
    title: titled(title, subtitle, WIDTH),
    width: WIDTH,
    height: { step: STEP },
    config: CONFIG,
    layer: [
      {
        data: { values: bits },
        mark: { type: 'bar', ...BAR },
        encoding: { y, x: x('from'), x2: { field: 'to' }, color: { field: 'part', type: 'nominal', scale, legend } },
      },
      {
        data: { values: names },
        ...text({ yOffset: -8 }, { x: { value: 0 }, text: { field: 'label', type: 'nominal' } }),
      },
      {
        data: { values: names },
        ...text({ yOffset: BAR.yOffset, dx: 6 }, { x: x('sum'), text: { field: 'text', type: 'nominal' } }),
      },
    ],
  } as TopLevelSpec;
}

/** Points with names as a Vega-Lite spec: Pareto front, trend, intervals, labels that don't cover each other. */
import type { TopLevelSpec } from 'vega-lite';
import type { Interval, Scatter, ScatterPoint } from '../../studies/figures.ts';
import { linearFit, paretoFront } from '../../studies/statistics.ts';
import { textWidth } from '../draw.ts';
import { type ColorName, color } from '../palette.ts';
import { CONFIG, titled } from '../theme.ts';
import { type Box, placeLabels } from './labels.ts';
import { type Scale, scaleFor } from './scale.ts';

const [WIDTH, HEIGHT] = [600, 440];
const FONT = 11;
/** Length of the bits of a slanting line that labels keep clear of. */
const BIT = 6;
const RADIUS = { plain: 4, emphasized: 5.5 } as const;
/** Of families that are not emphasized, in order of appearance. */
const HUES: readonly ColorName[] = ['muted', 'second', 'third', 'good', 'fifth', 'fourth'];

const radiusOf = ({ emphasized }: ScatterPoint): number => (emphasized ? RADIUS.emphasized : RADIUS.plain);

export function scatterSpec(figure: Scatter): TopLevelSpec {
  const { title, subtitle } = figure;
  const scales = {
    x: scaleFor(
      figure.x,
      figure.points.map(({ x }) => x),
      { ends: figure.points.flatMap(({ xInterval = [] }) => xInterval) },
    ),
    y: scaleFor(
      figure.y,
      figure.points.map(({ y }) => y),
      { ends: figure.points.flatMap(({ yInterval = [] }) => yInterval) },
    ),
  };
  const clip = ([low, high]: Interval, scale: Scale): Interval => [scale.clip(low), scale.clip(high)];
  const points = figure.points.map(({ xInterval, yInterval, ...point }) => ({
    ...point,
    ...(xInterval ? { xInterval: clip(xInterval, scales.x) } : {}),
    ...(yInterval ? { yInterval: clip(yInterval, scales.y) } : {}),
  }));
  const place = {
    x: (value: number) => WIDTH * scales.x.at(value),
    y: (value: number) => HEIGHT * (1 - scales.y.at(value)),
  };
  const front = figure.frontier ? stepsOf(paretoFront(points), scales.x.domain[1]) : [];
  const trend = figure.trend && points.length > 2 ? trendOf(figure, scales) : [];
  const labels = placeLabels(
    points.map((point) => ({
      ...{ x: place.x(point.x), y: place.y(point.y), radius: radiusOf(point) + 1 },
      ...{ label: point.label, important: point.emphasized },
    })),
    {
      ...{ width: WIDTH, height: HEIGHT, lineHeight: FONT + 3 },
      widthOf: (text) => textWidth(text, { fontSize: FONT, fontWeight: 600 }) + 3,
      obstacles: [
        ...[front, trend].flatMap((line) => line.slice(1).flatMap((to, i) => bits(line[i]!, to, place))),
        ...points.flatMap(({ x, y, xInterval: [left, right] = [x, x], yInterval: [low, high] = [y, y] }) => [
          ...bits({ x: left, y }, { x: right, y }, place),
          ...bits({ x, y: low }, { x, y: high }, place),
        ]),
      ],
    },
  );
  const enc = (x: string, y: string): object => ({
    x: { field: x, type: 'quantitative', ...scales.x.encoding },
    y: { field: y, type: 'quantitative', ...scales.y.encoding },
  });
  const back = (x: number, y: number): { x: number; y: number } => ({
    x: scales.x.invert(x / WIDTH),
    y: scales.y.invert(1 - y / HEIGHT),
  });
  const texts = labels.placed.map(({ index, label, align, x, y }) => {
    const point = points[index]!;
    return { ...back(x, y), label, align, weight: point.emphasized ? 600 : 400 };
  });
  const leaders = labels.placed.flatMap(({ index, leader }) => {
    if (!leader) return [];
    const { x: x2, y: y2 } = back(leader.x, leader.y);
    return [{ x: points[index]!.x, y: points[index]!.y, x2, y2 }];
  });
  const omitted = labels.omitted.length > 0 ? ` (no room for the names of ${labels.omitted.join(', ')})` : '';
  return {
    title: titled(title, `${subtitle ?? ''}${omitted}`.trim(), WIDTH),
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      ...lineLayer(
        front,
        { interpolate: 'linear', color: color('first'), strokeWidth: 1.5, opacity: 0.7 },
        enc('x', 'y'),
      ),
      ...lineLayer(trend, { color: color('muted'), strokeWidth: 1.5, strokeDash: [5, 4] }, enc('x', 'y')),
      ...lineMarks(
        leaders,
        { color: color('muted'), strokeWidth: 0.75 },
        { ...enc('x', 'y'), x2: { field: 'x2' }, y2: { field: 'y2' } },
      ),
      ...intervalLayers(points, enc),
      {
        data: {
          values: points.map((point) => ({
            ...point,
            size: Math.PI * radiusOf(point) ** 2,
            family: point.family ?? '',
          })),
        },
        mark: { type: 'point', filled: true, opacity: 1, stroke: color('paper'), strokeWidth: 1 },
        encoding: {
          ...enc('x', 'y'),
          size: { field: 'size', type: 'quantitative', scale: null, legend: null },
          color: colorsOf(points),
        },
      },
      ...(['left', 'center', 'right'] as const).flatMap((align) =>
        [400, 600].flatMap((weight) =>
          lineMarks(
            texts.filter((text) => text.align === align && text.weight === weight),
            { type: 'text', align, baseline: 'middle', fontSize: FONT, fontWeight: weight, color: color('ink') },
            { ...enc('x', 'y'), text: { field: 'label', type: 'nominal' } },
          ),
        ),
      ),
    ],
  } as TopLevelSpec;
}

interface Place {
  readonly x: number;
  readonly y: number;
}

/** A layer with data of its own, or none where there is nothing to draw. */
function lineMarks(values: readonly object[], mark: object, encoding: object): object[] {
  return values.length === 0 ? [] : [{ data: { values }, mark: { type: 'rule', ...mark }, encoding }];
}

function lineLayer(values: readonly Place[], mark: object, encoding: object): object[] {
  const ordered = values.map((value, order) => ({ ...value, order }));
  return lineMarks(
    ordered,
    { type: 'line', ...mark },
    { ...encoding, order: { field: 'order', type: 'quantitative' } },
  );
}

/** The front as steps to the right end of the axis: all that is below and to the right of it is beaten. */
function stepsOf(front: readonly Place[], end: number): Place[] {
  return front.flatMap((point, i) => [point, { x: front[i + 1]?.x ?? end, y: point.y }]);
}

/** A straight line (in the logarithm of logarithmic axes) over all points. */
function trendOf({ points }: Scatter, scales: { readonly x: Scale; readonly y: Scale }): Place[] {
  const parts = points.map(({ x, y }) => ({ x: scales.x.at(x), y: scales.y.at(y) }));
  const { slope, offset } = linearFit(parts);
  const ends = [Math.min(...parts.map(({ x }) => x)), Math.max(...parts.map(({ x }) => x))];
  return ends
    .map((x) => ({ x, y: slope * x + offset }))
    .map(({ x, y }) => ({ x: scales.x.invert(x), y: scales.y.invert(Math.max(0, Math.min(1, y))) }));
}

/** A line as small boxes that labels keep clear of. */
function bits(from: Place, to: Place, place: { x(value: number): number; y(value: number): number }): Box[] {
  const [a, b] = [from, to].map(({ x, y }) => ({ x: place.x(x), y: place.y(y) })) as [Place, Place];
  const count = a.x === b.x || a.y === b.y ? 1 : Math.ceil(Math.hypot(b.x - a.x, b.y - a.y) / BIT);
  return Array.from({ length: count }, (_, i): Box => {
    const part = (k: number, axis: 'x' | 'y'): number => a[axis] + ((b[axis] - a[axis]) * k) / count;
    const [x, y] = [
      [part(i, 'x'), part(i + 1, 'x')],
      [part(i, 'y'), part(i + 1, 'y')],
    ];
    return { left: Math.min(...x) - 1, right: Math.max(...x) + 1, top: Math.min(...y) - 1, bottom: Math.max(...y) + 1 };
  });
}

function intervalLayers(points: readonly ScatterPoint[], enc: (x: string, y: string) => object): object[] {
  const mark = { color: color('muted'), strokeWidth: 1, opacity: 0.8 };
  const along = points.flatMap(({ x, y, xInterval }) =>
    xInterval ? [{ x: xInterval[0], x2: xInterval[1], y, at: x }] : [],
  );
  const up = points.flatMap(({ x, y, yInterval }) =>
    yInterval ? [{ x, y: yInterval[0], y2: yInterval[1], at: y }] : [],
  );
  return [
    ...lineMarks(along, mark, { ...enc('x', 'y'), x2: { field: 'x2' } }),
    ...lineMarks(up, mark, { ...enc('x', 'y'), y2: { field: 'y2' } }),
  ];
}

/** The color of points by family: what is emphasized has the first color. */
function colorsOf(points: readonly ScatterPoint[]): object {
  const families = [...new Set(points.map(({ family = '' }) => family))];
  const emphasized = new Set(points.filter((point) => point.emphasized).map(({ family = '' }) => family));
  const domain = [
    ...families.filter((name) => emphasized.has(name)),
    ...families.filter((name) => !emphasized.has(name)),
  ];
  let hue = 0;
  const range = domain.map((name, i) =>
    emphasized.has(name) && i === 0 ? color('first') : color(HUES[hue++ % HUES.length]!),
  );
  const legend = {
    ...{ title: null, orient: 'bottom', labelFontSize: 12, labelColor: color('ink'), symbolSize: 80, symbolOpacity: 1 },
    ...{ columns: 4, labelLimit: 200 },
  };
  return { field: 'family', type: 'nominal', scale: { domain, range }, legend: families.length > 1 ? legend : null };
}

/** Lines with their names at their ends, as a Vega-Lite spec. */
import type { TopLevelSpec } from 'vega-lite';
import type { Lines } from '../../studies/figures.ts';
import { textWidth } from '../draw.ts';
import { type ColorName, color } from '../palette.ts';
import { CONFIG, titled } from '../theme.ts';
import { scaleFor } from './scale.ts';

const [WIDTH, HEIGHT] = [460, 340];
const FONT = 12;
const HUES: readonly ColorName[] = ['first', 'second', 'third', 'good', 'fifth', 'fourth', 'muted'];

/** Moves places apart that are nearer than `gap`, keeping their order, as little as a few rounds of pushing allow. */
export function apart(places: readonly number[], gap: number, [low, high]: readonly [number, number]): number[] {
  const order = places.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
  const moved = [...places];
  for (let round = 0; round < 200; round++) {
    for (let i = 1; i < order.length; i++) {
      const [above, below] = [order[i - 1]!, order[i]!];
      const lack = gap - (moved[below]! - moved[above]!);
      if (lack <= 0) continue;
      moved[above]! -= lack / 2;
      moved[below]! += lack / 2;
    }
    // The ends push back into the frame.
    order.forEach((index, i) => {
      moved[index] = Math.max(low + i * gap, Math.min(high - (order.length - 1 - i) * gap, moved[index]!));
    });
  }
  return moved;
}

export function linesSpec({ title, subtitle, x, y, lines }: Lines): TopLevelSpec {
  const all = lines.flatMap(({ points }) => points);
  const scales = {
    x: scaleFor(
      x,
      all.map((point) => point.x),
      { grid: false, ticks: [...new Set(all.map((point) => point.x))].sort((a, b) => a - b) },
    ),
    y: scaleFor(
      y,
      all.map((point) => point.y),
      { zero: true, ends: all.flatMap(({ yInterval = [] }) => yInterval) },
    ),
  };
  const enc = (fieldX: string, fieldY: string): object => ({
    x: { field: fieldX, type: 'quantitative', ...scales.x.encoding },
    y: { field: fieldY, type: 'quantitative', ...scales.y.encoding },
  });
  const values = lines.flatMap(({ label: line, points, emphasized = false }) =>
    points.map(({ x, y, yInterval: [low, high] = [y, y], label = '' }) => ({
      line,
      x,
      y,
      low: scales.y.clip(low),
      high: scales.y.clip(high),
      label,
      emphasized,
    })),
  );
  const ends = lines.map(({ points }) => points.reduce((a, b) => (b.x > a.x ? b : a)));
  const heights = apart(
    ends.map(({ y }) => HEIGHT * (1 - scales.y.at(y))),
    FONT + 3,
    [0, HEIGHT],
  );
  const names = lines.map(({ label, emphasized }, i) => ({
    label,
    emphasized,
    at: heights[i]!,
    fill: color(HUES[i % HUES.length]!),
  }));
  const scale = { domain: lines.map(({ label }) => label), range: lines.map((_, i) => color(HUES[i % HUES.length]!)) };
  const hue = { field: 'line', type: 'nominal', scale, legend: null };
  const right = Math.max(...lines.map(({ label }) => textWidth(label, { fontSize: FONT, fontWeight: 600 })));
  return {
    title: titled(title, subtitle, WIDTH + right),
    data: { values },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      { mark: { type: 'line', strokeWidth: 2 }, encoding: { ...enc('x', 'y'), color: hue } },
      {
        mark: { type: 'rule', strokeWidth: 1.25, opacity: 0.7 },
        encoding: { ...enc('x', 'low'), y2: { field: 'high' }, color: hue },
      },
      { mark: { type: 'point', filled: true, size: 36, opacity: 1 }, encoding: { ...enc('x', 'y'), color: hue } },
      {
        transform: [{ filter: "datum.label !== ''" }],
        mark: { type: 'text', dy: -11, fontSize: 11, color: color('muted') },
        encoding: { ...enc('x', 'y'), text: { field: 'label', type: 'nominal' } },
      },
      ...names.map(({ label, emphasized, at, fill }) => ({
        data: { values: [{ label }] },
        mark: {
          ...{ type: 'text', align: 'left', baseline: 'middle', fontSize: FONT, color: fill },
          fontWeight: emphasized ? 600 : 400,
        },
        encoding: { x: { value: WIDTH + 8 }, y: { value: at }, text: { field: 'label', type: 'nominal' } },
      })),
    ],
  } as TopLevelSpec;
}

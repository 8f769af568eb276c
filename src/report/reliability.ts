/** The reliability diagram as a Vega-Lite spec. */
import type { TopLevelSpec } from 'vega-lite';
import type { Calibration } from '../evaluate/calibration.ts';
import { color } from './palette.ts';
import { CONFIG, HEIGHT, titled, WIDTH } from './theme.ts';

/** Share of right answers (or, of several labels, of classes that are there) by probability, beside the line of perfect calibration; fuller bars stand for more images. */
export function reliabilityFigure({ bins, ece, overconfidence }: Calibration, multiLabel = false): TopLevelSpec {
  const most = Math.max(...bins.map(({ count }) => count));
  const values = bins
    .filter(({ count }) => count > 0)
    .map(({ from, to, count, accuracy, confidence }) => ({
      from: 100 * from,
      to: 100 * to,
      right: 100 * accuracy,
      mean: 100 * confidence,
      weight: 0.3 + 0.7 * Math.sqrt(count / most),
    }));
  const scale = { domain: [0, 100] };
  const x = {
    field: 'from',
    type: 'quantitative',
    scale,
    axis: { title: `probability of the ${multiLabel ? 'class' : 'answer'} (%)`, grid: false },
  };
  const y = {
    field: 'right',
    type: 'quantitative',
    scale,
    axis: { title: multiLabel ? 'share there (%)' : 'share right (%)' },
  };
  const diagonal = [
    { at: 0, right: 0 },
    { at: 100, right: 100 },
  ];
  return {
    title: titled(
      finding(ece, overconfidence, multiLabel),
      `Dashed: perfect; upright lines: how far off. Darker bars hold more ${multiLabel ? 'answers' : 'images'}`,
    ),
    data: { values },
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        mark: { type: 'bar', color: color('first'), binSpacing: 2 },
        encoding: {
          x: { ...x, bin: 'binned' },
          x2: { field: 'to' },
          y,
          opacity: { field: 'weight', type: 'quantitative', scale: null },
        },
      },
      {
        data: { values: diagonal },
        mark: { type: 'line', strokeDash: [5, 4], strokeWidth: 1.5, color: color('second') },
        encoding: { x: { ...x, field: 'at' }, y },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.5, color: color('second') },
        encoding: { x: { ...x, field: 'mean' }, y, y2: { field: 'mean' } },
      },
      {
        mark: { type: 'point', filled: true, size: 30, color: color('second'), opacity: 1 },
        encoding: { x: { ...x, field: 'mean' }, y },
      },
    ],
  } as TopLevelSpec;
}

function finding(ece: number, overconfidence: number, multiLabel: boolean): string {
  if (ece < 2) return `Its probabilities hold within ${ece.toFixed(1)} points on average`;
  const gap = Math.abs(overconfidence);
  if (gap < ece / 3) return `Its probabilities are ${ece.toFixed(1)} points off on average, in both directions`;
  if (multiLabel)
    return `It sees classes ${overconfidence > 0 ? 'more' : 'less'} often than they are there, by ${gap.toFixed(1)} points`;
  return `It is ${gap.toFixed(1)} points ${overconfidence > 0 ? 'surer than it is right' : 'less sure than it could be'}`;
}

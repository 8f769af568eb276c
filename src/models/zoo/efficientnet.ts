import type { Graph } from '../../graph/graph.ts';
import { inverted, invertedResiduals, separable } from './inverted-residuals.ts';

/** EfficientNet-B0 (arXiv 1905.11946, Table 1). */
export function efficientNetB0(): Graph {
  const se = 0.25;
  return invertedResiduals({
    name: 'efficientnet_b0',
    stem: 32,
    act: 'swish',
    stages: [
      [separable(1, 3, 1, 16, { se })],
      [inverted(2, 3, 2, 6, 24, { se })],
      [inverted(2, 5, 2, 6, 40, { se })],
      [inverted(3, 3, 2, 6, 80, { se })],
      [inverted(3, 5, 1, 6, 112, { se })],
      [inverted(4, 5, 2, 6, 192, { se })],
      [inverted(1, 3, 1, 6, 320, { se })],
    ],
    head: { channels: 1280 },
  });
}

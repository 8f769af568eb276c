import type { Graph } from '../../graph/graph.ts';
import { inverted, invertedResiduals, separable } from './inverted-residuals.ts';

/** MNASNet-A1 (arXiv 1807.11626, Figure 7), timm's `semnasnet_100`. */
export function mnasNetA1(): Graph {
  const se = 0.25;
  return invertedResiduals({
    name: 'mnasnet_a1',
    stem: 32,
    act: 'relu',
    stages: [
      [separable(1, 3, 1, 16)],
      [inverted(2, 3, 2, 6, 24)],
      [inverted(3, 5, 2, 3, 40, { se })],
      [inverted(4, 3, 2, 6, 80)],
      [inverted(2, 3, 1, 6, 112, { se })],
      [inverted(3, 5, 2, 6, 160, { se })],
      [inverted(1, 3, 1, 6, 320)],
    ],
    head: { channels: 1280 },
  });
}

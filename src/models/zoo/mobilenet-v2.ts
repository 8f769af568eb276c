import type { Graph } from '../../graph/graph.ts';
import { inverted, invertedResiduals, separable } from './inverted-residuals.ts';
import { makeDivisible } from './layers.ts';

/** MobileNetV2 (arXiv 1801.04381, Table 2). The last convolution keeps its 1280 channels where the width is below 1. */
export function mobileNetV2({ width = 1 }: { readonly width?: number } = {}): Graph {
  return invertedResiduals({
    name: 'mobilenetv2',
    stem: 32,
    width,
    act: 'relu6',
    stages: [
      [separable(1, 3, 1, 16)],
      [inverted(2, 3, 2, 6, 24)],
      [inverted(3, 3, 2, 6, 32)],
      [inverted(4, 3, 2, 6, 64)],
      [inverted(3, 3, 1, 6, 96)],
      [inverted(3, 3, 2, 6, 160)],
      [inverted(1, 3, 1, 6, 320)],
    ],
    head: { channels: Math.max(1280, makeDivisible(1280 * width)) },
  });
}

import type { Graph } from '../../graph/graph.ts';
import { invertedResiduals, separable } from './inverted-residuals.ts';

/** MobileNetV1 (arXiv 1704.04861, Table 1), with ReLU6 as in TensorFlow's and timm's code. */
export function mobileNetV1({ width = 1 }: { readonly width?: number } = {}): Graph {
  return invertedResiduals({
    name: 'mobilenetv1',
    stem: 32,
    width,
    act: 'relu6',
    plain: true,
    stages: [
      [separable(1, 3, 1, 64)],
      [separable(2, 3, 2, 128)],
      [separable(2, 3, 2, 256)],
      [separable(6, 3, 2, 512)],
      [separable(2, 3, 2, 1024)],
    ],
  });
}

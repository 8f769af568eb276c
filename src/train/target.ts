/** What a batch should be taken for. */
import type { Tensor } from '../core/tensor.ts';

/** Target probabilities `[N, classes]` of labels: 1 − smoothing on the label, and smoothing spread evenly over all. */
export function smoothedTarget(labels: Int32Array, classes: number, smoothing: number): Tensor {
  const data = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, n) => {
    data[n * classes + label]! += 1 - smoothing;
  });
  return { shape: [labels.length, classes], data };
}

/** Targets `[N, classes]` of a yes or no for each class: 1 where it is among an image's labels, moved towards ½ by smoothing. */
export function multiLabelTarget(labels: readonly (readonly number[])[], classes: number, smoothing: number): Tensor {
  const data = new Float32Array(labels.length * classes).fill(smoothing / 2);
  labels.forEach((own, n) => {
    for (const label of own) data[n * classes + label] = 1 - smoothing / 2;
  });
  return { shape: [labels.length, classes], data };
}

/** Targets whose columns are multiplied by a weight a class (as `weight` of PyTorch's cross entropy). */
export function weightedTarget({ shape, data }: Tensor, weights: ArrayLike<number>): Tensor {
  return { shape, data: Float32Array.from(data, (value, i) => value * weights[i % weights.length]!) };
}

/** Weights that make every class count alike, 1 on average over the images: images / (classes · images of the class). */
export function balancedWeights(counts: readonly number[]): number[] {
  const present = counts.filter((count) => count > 0);
  const images = present.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count > 0 ? images / (present.length * count) : 1));
}

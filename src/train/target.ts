import type { Tensor } from '../core/tensor.ts';

/** Target probabilities `[N, classes]` of labels: 1 − smoothing on the label, and smoothing spread evenly over all. */
export function smoothedTarget(labels: Int32Array, classes: number, smoothing: number): Tensor {
  const data = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, n) => {
    data[n * classes + label]! += 1 - smoothing;
  });
  return { shape: [labels.length, classes], data };
}

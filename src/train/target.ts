/** What a batch should be taken for. */
import type { Tensor } from '../core/tensor.ts';
import type { Mix } from '../images/augment/mix.ts';

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

/** The target of a mixed batch: share · target + (1 − share) · the partner's target; the target itself without a mix. */
export function mixedTarget(target: Tensor, mix: Pick<Mix, 'share' | 'partner'> | undefined): Tensor {
  if (!mix) return target;
  const { shape, data } = target;
  const classes = shape[1]!;
  const mixed = new Float32Array(data.length);
  mix.partner.forEach((other, n) => {
    for (let c = 0; c < classes; c++)
      mixed[n * classes + c] = mix.share * data[n * classes + c]! + (1 - mix.share) * data[other * classes + c]!;
  });
  return { shape, data: mixed };
}

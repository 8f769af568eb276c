/** BatchNorm over N and positions of `[N, C, H, W]`: eval mode, train mode and the textbook gradient. */
import { type Array64, channelsOf, planesOf, zeros } from './array.ts';

/** y = (x − mean) / √(var + ε) · weight + bias with given statistics `[C]`. */
export function normalize(
  x: Array64,
  {
    mean,
    variance,
    weight,
    bias,
    epsilon,
  }: { mean: Float64Array; variance: Float64Array; weight: Float64Array; bias: Float64Array; epsilon: number },
): Array64 {
  const y = zeros(x.shape);
  for (const { channel, first, end } of planesOf(x)) {
    const deviation = Math.sqrt(variance[channel]! + epsilon);
    const [center, scale, shift] = [mean[channel]!, weight[channel]!, bias[channel]!];
    for (let i = first; i < end; i++) y.data[i] = ((x.data[i]! - center) / deviation) * scale + shift;
  }
  return y;
}

/** Batch mean and (biased) variance of every channel, and the number of values each was taken over. */
export function batchStatistics(x: Array64): { mean: Float64Array; variance: Float64Array; count: number } {
  const { n, c, positions } = channelsOf(x);
  const count = n * positions;
  const mean = new Float64Array(c);
  const variance = new Float64Array(c);
  for (const { channel, first, end } of planesOf(x)) {
    for (let i = first; i < end; i++) mean[channel]! += x.data[i]! / count;
  }
  for (const { channel, first, end } of planesOf(x)) {
    for (let i = first; i < end; i++) variance[channel]! += (x.data[i]! - mean[channel]!) ** 2 / count;
  }
  return { mean, variance, count };
}

/**
 * Gradients of train-mode BatchNorm: x̂ = (x − μ)/σ, dweight = Σ dy·x̂, dbias = Σ dy,
 * dx = weight/σ · (dy − mean(dy) − x̂ · mean(dy·x̂)).
 */
export function normalizeGrad(
  x: Array64,
  dy: Array64,
  { weight, epsilon }: { weight: Float64Array; epsilon: number },
): { dx: Array64; dweight: Array64; dbias: Array64 } {
  const { c } = channelsOf(x);
  const { mean, variance, count } = batchStatistics(x);
  const dweight = zeros([c]);
  const dbias = zeros([c]);
  const xhat = zeros(x.shape);
  for (const { channel, first, end } of planesOf(x)) {
    const deviation = Math.sqrt(variance[channel]! + epsilon);
    for (let i = first; i < end; i++) {
      xhat.data[i] = (x.data[i]! - mean[channel]!) / deviation;
      dweight.data[channel]! += dy.data[i]! * xhat.data[i]!;
      dbias.data[channel]! += dy.data[i]!;
    }
  }
  const dx = zeros(x.shape);
  for (const { channel, first, end } of planesOf(x)) {
    const scale = weight[channel]! / Math.sqrt(variance[channel]! + epsilon);
    const [meanDy, meanProduct] = [dbias.data[channel]! / count, dweight.data[channel]! / count];
    for (let i = first; i < end; i++) dx.data[i] = scale * (dy.data[i]! - meanDy - xhat.data[i]! * meanProduct);
  }
  return { dx, dweight, dbias };
}

/** Gradients of BatchNorm with fixed statistics: dweight = Σ dy·(x − mean)/σ, dbias = Σ dy, dx = weight/σ · dy. */
export function fixedNormalizeGrad(
  x: Array64,
  dy: Array64,
  {
    mean,
    variance,
    weight,
    epsilon,
  }: { mean: Float64Array; variance: Float64Array; weight: Float64Array; epsilon: number },
): { dx: Array64; dweight: Array64; dbias: Array64 } {
  const { c } = channelsOf(x);
  const [dweight, dbias, dx] = [zeros([c]), zeros([c]), zeros(x.shape)];
  for (const { channel, first, end } of planesOf(x)) {
    const deviation = Math.sqrt(variance[channel]! + epsilon);
    for (let i = first; i < end; i++) {
      dweight.data[channel]! += (dy.data[i]! * (x.data[i]! - mean[channel]!)) / deviation;
      dbias.data[channel]! += dy.data[i]!;
      dx.data[i] = (dy.data[i]! * weight[channel]!) / deviation;
    }
  }
  return { dx, dweight, dbias };
}

/** running ← (1 − momentum) · running + momentum · value, in place. */
export function updateRunning(running: Float64Array, values: Float64Array, momentum: number): void {
  for (let c = 0; c < running.length; c++) running[c] = (1 - momentum) * running[c]! + momentum * values[c]!;
}

/** BatchNorm over N and positions of `[N, C, H, W]`: eval mode, train mode and the textbook gradient. */
import { type Array64, channelsOf, forEachChannel, map, zeros } from './array.ts';

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
  forEachChannel(x, (i, c) => {
    y.data[i] = ((x.data[i]! - mean[c]!) / Math.sqrt(variance[c]! + epsilon)) * weight[c]! + bias[c]!;
  });
  return y;
}

/** Batch mean and (biased) variance of every channel, and the number of values each was taken over. */
export function batchStatistics(x: Array64): { mean: Float64Array; variance: Float64Array; count: number } {
  const { n, c, positions } = channelsOf(x);
  const count = n * positions;
  const mean = new Float64Array(c);
  const variance = new Float64Array(c);
  forEachChannel(x, (i, channel) => {
    mean[channel]! += x.data[i]! / count;
  });
  forEachChannel(x, (i, channel) => {
    variance[channel]! += (x.data[i]! - mean[channel]!) ** 2 / count;
  });
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
  forEachChannel(x, (i, channel) => {
    xhat.data[i] = (x.data[i]! - mean[channel]!) / Math.sqrt(variance[channel]! + epsilon);
    dweight.data[channel]! += dy.data[i]! * xhat.data[i]!;
    dbias.data[channel]! += dy.data[i]!;
  });
  const dx = zeros(x.shape);
  forEachChannel(x, (i, channel) => {
    const centered = dy.data[i]! - dbias.data[channel]! / count - (xhat.data[i]! * dweight.data[channel]!) / count;
    dx.data[i] = (weight[channel]! / Math.sqrt(variance[channel]! + epsilon)) * centered;
  });
  return { dx, dweight, dbias };
}

/** running ← (1 − momentum) · running + momentum · value, in place. */
export function updateRunning(running: Float64Array, values: Float64Array, momentum: number): void {
  running.set(map({ shape: [], data: running }, (old, c) => (1 - momentum) * old + momentum * values[c]!).data);
}

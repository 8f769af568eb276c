/** Products of matrices, and the normalization of tokens. */
import { type Shape, sizeOf } from '../../core/tensor.ts';
import { type Array64, map, zeros } from './array.ts';

/** x · wᵀ (+ b) over the last axis: […, I] × [O, I] → […, O] */
export function linear(x: Array64, weight: Array64, bias: Array64 | undefined): Array64 {
  const [outputs, inputs] = weight.shape as [number, number];
  const y = zeros([...x.shape.slice(0, -1), outputs]);
  for (let at = 0; at < y.data.length; at++) {
    const [first, o] = [Math.floor(at / outputs) * inputs, at % outputs];
    let sum = bias ? bias.data[o]! : 0;
    for (let i = 0; i < inputs; i++) sum += x.data[first + i]! * weight.data[o * inputs + i]!;
    y.data[at] = sum;
  }
  return y;
}

/** Which matrix of `[…, M, K]` is number `index` of the axes before, when these are broadcast to `batch`. */
function matrixAt(index: number, batch: Shape, shape: Shape): number {
  let [left, at, step] = [index, 0, 1];
  for (let axis = 1; axis <= batch.length; axis++) {
    const length = shape.at(-2 - axis) ?? 1;
    if (length > 1) at += (left % batch.at(-axis)!) * step;
    left = Math.floor(left / batch.at(-axis)!);
    step *= length;
  }
  return at;
}

/** a · b: […, M, K] × […, K, N] → […, M, N] of the shape given, the axes before broadcast. */
export function matMul(a: Array64, b: Array64, shape: Shape): Array64 {
  const y = zeros(shape);
  const [m, n, k] = [shape.at(-2)!, shape.at(-1)!, a.shape.at(-1)!];
  const batch = shape.slice(0, -2);
  for (let index = 0; index < sizeOf(batch); index++) {
    const [left, right] = [matrixAt(index, batch, a.shape) * m * k, matrixAt(index, batch, b.shape) * k * n];
    for (let row = 0; row < m; row++)
      for (let i = 0; i < k; i++)
        for (let column = 0; column < n; column++)
          y.data[(index * m + row) * n + column]! += a.data[left + row * k + i]! * b.data[right + i * n + column]!;
  }
  return y;
}

/** (x − mean) / √(variance + epsilon) · weight + bias over the last axes, as many elements as there are weights. */
export function layerNorm(x: Array64, weight: Array64, bias: Array64, epsilon: number): Array64 {
  const count = weight.data.length;
  const y = zeros(x.shape);
  for (let first = 0; first < x.data.length; first += count) {
    const part = x.data.subarray(first, first + count);
    const mean = part.reduce((a, b) => a + b, 0) / count;
    const variance = part.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    const { data } = map({ shape: [count], data: part }, (value, i) => {
      return ((value - mean) / Math.sqrt(variance + epsilon)) * weight.data[i]! + bias.data[i]!;
    });
    y.data.set(data, first);
  }
  return y;
}

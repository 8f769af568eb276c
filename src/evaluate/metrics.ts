/** Classification metrics as small functions over rows of logits. */

/** Any row of numbers. */
export type Row = ArrayLike<number>;

/** Running mean of weighted values; `sum` and `weight` are what a checkpoint keeps. */
export interface RunningMean {
  readonly sum: number;
  readonly weight: number;
}

/** The mean of nothing yet. */
export const NO_MEAN: RunningMean = { sum: 0, weight: 0 };

/** Adds a value that stands for `weight` samples. */
export function addToMean(mean: RunningMean, value: number, weight: number): RunningMean {
  return { sum: mean.sum + value * weight, weight: mean.weight + weight };
}

/** The mean, or 0 of nothing. */
export function meanOf({ sum, weight }: RunningMean): number {
  return weight === 0 ? 0 : sum / weight;
}

/** Index of the largest value; the first of equals. */
export function argmax(row: Row): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** How many classes come before the label (0: it is the top-1); of equals the lower index is first, NaN is last. */
export function rankOf(row: Row, label: number): number {
  const own = row[label]!;
  if (!Number.isFinite(own)) return row.length;
  let rank = 0;
  for (let i = 0; i < row.length; i++) if (row[i]! > own || (row[i] === own && i < label)) rank++;
  return rank;
}

/** Softmax of a row of logits, in float64. */
export function softmax(row: Row): Float64Array {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) max = Math.max(max, row[i]!);
  const out = Float64Array.from(row, (value) => Math.exp(value - max));
  const sum = out.reduce((total, value) => total + value, 0);
  return out.map((value) => value / sum);
}

/** Cross entropy −log softmax(row)[label], in float64. */
export function crossEntropy(row: Row, label: number): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) max = Math.max(max, row[i]!);
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - max);
  return max + Math.log(sum) - row[label]!;
}

/** Indices of the k largest values, largest first. */
export function topK(row: Row, k: number): number[] {
  const order = Array.from({ length: row.length }, (_, i) => i);
  return order.sort((a, b) => row[b]! - row[a]! || a - b).slice(0, k);
}

/** Rows `[count, classes]` of a flat array of logits. */
export function rowsOf(logits: Float32Array | Float64Array, classes: number, count: number): Row[] {
  return Array.from({ length: count }, (_, n) => logits.subarray(n * classes, (n + 1) * classes));
}

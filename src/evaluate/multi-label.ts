/** Metrics of images that may have several labels, from rows of logits, one a class. */
import type { Row } from './metrics.ts';

export interface LabeledRow {
  readonly row: Row;
  readonly labels: readonly number[];
}

/** The probability that a logit stands for when each class is a question of its own. */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** Mean over the classes of −log σ(logit) of those that are labels and −log(1 − σ(logit)) of the others. */
export function binaryCrossEntropy(row: Row, labels: readonly number[]): number {
  let sum = 0;
  for (let c = 0; c < row.length; c++) {
    const x = row[c]!;
    sum += Math.max(x, 0) - (labels.includes(c) ? x : 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }
  return sum / row.length;
}

/**
 * Average precision of a class in percent: the mean, over its images from the highest logit down, of the share of its
 * images among those so far (area under the precision-recall steps, as scikit-learn's). NaN without images.
 */
export function averagePrecision(rows: readonly LabeledRow[], label: number): number {
  const order = rows.toSorted((a, b) => b.row[label]! - a.row[label]!);
  let [found, sum] = [0, 0];
  for (let first = 0; first < order.length; ) {
    let end = first;
    let own = 0;
    // Equal logits come at one threshold.
    for (; end < order.length && order[end]!.row[label] === order[first]!.row[label]; end++)
      if (order[end]!.labels.includes(label)) own++;
    found += own;
    sum += (own * found) / end;
    first = end;
  }
  return found === 0 ? Number.NaN : (100 * sum) / found;
}

/** Average precision of every class, and the mean over classes that have images (mAP), in percent. */
export function averagePrecisions(
  rows: readonly LabeledRow[],
  count: number,
): { readonly mean: number; readonly classes: readonly number[] } {
  const classes = Array.from({ length: count }, (_, label) => averagePrecision(rows, label));
  const known = classes.filter((value) => !Number.isNaN(value));
  return { mean: known.reduce((a, b) => a + b, 0) / Math.max(1, known.length), classes };
}

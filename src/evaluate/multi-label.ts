/** Metrics of images that may have several labels, from rows of logits, one a class. */
import { type Row, softmax } from './metrics.ts';

export interface LabeledRow {
  readonly row: Row;
  readonly labels: readonly number[];
}

/** The probability that a logit stands for when each class is a question of its own. */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** Probabilities of a row of logits: of each class on its own where images may have several labels, else one of them. */
export function probabilitiesOf(row: Row, multiLabel: boolean): Float64Array {
  return multiLabel ? Float64Array.from(row, sigmoid) : softmax(row);
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

export interface AveragePrecision {
  /** mAP: over the classes that have images. */
  readonly mean: number;
  /** NaN for a class without images. */
  readonly classes: readonly number[];
  /** Images that have each class. */
  readonly images: readonly number[];
}

/** Average precision of every class, and the mean over classes that have images (mAP), in percent. */
export function averagePrecisions(rows: readonly LabeledRow[], count: number): AveragePrecision {
  const classes = Array.from({ length: count }, (_, label) => averagePrecision(rows, label));
  const images = Array.from({ length: count }, (_, c) => rows.filter(({ labels }) => labels.includes(c)).length);
  const known = classes.filter((value) => !Number.isNaN(value));
  return { mean: known.reduce((a, b) => a + b, 0) / Math.max(1, known.length), classes, images };
}

/** Each class of each image as an answer of its own, for `calibrationOf`: how sure a yes is, and whether it is right. */
export function* answersOf(
  rows: readonly LabeledRow[],
): Generator<{ readonly label: number; readonly predicted: number; readonly confidence: number }> {
  for (const { row, labels } of rows)
    for (let c = 0; c < row.length; c++)
      yield { label: labels.includes(c) ? 1 : 0, predicted: 1, confidence: sigmoid(row[c]!) };
}

/** A class that an image was given, or denied, against its labels. */
export interface WrongAnswer {
  /** Position of the row. */
  readonly at: number;
  readonly class: number;
  /** Probability of the class, 0 to 1. */
  readonly probability: number;
  /** The image has the class. */
  readonly has: boolean;
}

/** Wrong answers to "does it have this class", the surest first: often wrong labels rather than wrong answers. */
export function wrongAnswers(rows: readonly LabeledRow[], limit = 10): WrongAnswer[] {
  const wrong: WrongAnswer[] = [];
  for (const [at, { row, labels }] of rows.entries())
    for (let c = 0; c < row.length; c++) {
      const has = labels.includes(c);
      if (row[c]! > 0 !== has) wrong.push({ at, class: c, probability: sigmoid(row[c]!), has });
    }
  const sure = ({ probability }: WrongAnswer): number => Math.abs(probability - 0.5);
  return wrong.sort((a, b) => sure(b) - sure(a) || a.at - b.at || a.class - b.class).slice(0, limit);
}

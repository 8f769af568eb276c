/** Runs a compiled classifier over labeled batches and sums up how well it does. */
import type { Tensor } from '../core/tensor.ts';
import type { Program } from '../engine/engine.ts';
import { addToMean, argmax, crossEntropy, meanOf, NO_MEAN, rankOf, rowsOf, softmax } from './metrics.ts';
import {
  type AveragePrecision,
  averagePrecisions,
  binaryCrossEntropy,
  type LabeledRow,
  sigmoid,
} from './multi-label.ts';

/** What is evaluated: a program that maps `image` (uint8 `[N, H, W, C]`) to `logits` `[N, classes]`. */
export type Classifier = Pick<Program, 'run'>;

/** What evaluation needs of a batch; the last one may be padded beyond `count`. */
export interface LabeledBatch {
  /** uint8 `[N, H, W, C]` */
  readonly images: Tensor;
  readonly labels: Int32Array;
  /** All labels of each image, where images may have several; `labels` then holds the first, or −1. */
  readonly labelSets?: readonly (readonly number[])[] | undefined;
  /** Position of each sample in its dataset. */
  readonly indices: Int32Array;
  readonly count: number;
}

export interface Prediction {
  /** Position in the dataset. */
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** Probability of the predicted class, 0 to 1. */
  readonly confidence: number;
  /** Cross entropy of this sample. */
  readonly loss: number;
}

export interface Evaluation {
  /** Mean cross entropy, without label smoothing. */
  readonly loss: number;
  /** Percent. */
  readonly top1: number;
  /** Percent; of fewer than six classes it is 100. */
  readonly top5: number;
  readonly images: number;
  /** `[label · classes + predicted]` counts. */
  readonly confusion: Int32Array;
  readonly predictions: readonly Prediction[];
  /** Where images may have several labels: average precision of each class in percent, and their mean. */
  readonly averagePrecision?: AveragePrecision;
  /** Where images may have several labels: logits and labels of every image, in the order of `predictions`. */
  readonly rows?: readonly LabeledRow[];
}

/**
 * Evaluates a classifier on batches; padding is left out. When the signal aborts, it stops and returns undefined. Where images
 * may have several labels, the loss is binary cross-entropy, and top-k is the share of images with one of their labels among the
 * k highest.
 */
export async function evaluate(
  classifier: Classifier,
  batches: Iterable<LabeledBatch> | AsyncIterable<LabeledBatch>,
  classes: number,
  signal?: AbortSignal,
): Promise<Evaluation | undefined> {
  const confusion = new Int32Array(classes * classes);
  const predictions: Prediction[] = [];
  let loss = NO_MEAN;
  let top1 = NO_MEAN;
  let top5 = NO_MEAN;
  const several: LabeledRow[] = [];
  for await (const { images, labels, labelSets, indices, count } of batches) {
    if (signal?.aborted) return undefined;
    const { logits } = await classifier.run({ image: images });
    const rows = rowsOf(logits!.data as Float32Array, classes, count);
    for (const [n, row] of rows.entries()) {
      const label = labels[n]!;
      const predicted = argmax(row);
      const own = labelSets?.[n];
      const rank = own ? Math.min(row.length, ...own.map((one) => rankOf(row, one))) : rankOf(row, label);
      const sampleLoss = own ? binaryCrossEntropy(row, own) : crossEntropy(row, label);
      if (own) several.push({ row: Float32Array.from(row), labels: own });
      loss = addToMean(loss, sampleLoss, 1);
      top1 = addToMean(top1, rank < 1 ? 100 : 0, 1);
      top5 = addToMean(top5, rank < 5 ? 100 : 0, 1);
      if (label >= 0) confusion[label * classes + predicted]!++;
      const confidence = own ? sigmoid(row[predicted]!) : softmax(row)[predicted]!;
      predictions.push({ index: indices[n]!, label, predicted, confidence, loss: sampleLoss });
    }
  }
  return {
    loss: meanOf(loss),
    top1: meanOf(top1),
    top5: meanOf(top5),
    images: predictions.length,
    confusion,
    predictions,
    ...(several.length > 0 ? { averagePrecision: averagePrecisions(several, classes), rows: several } : {}),
  };
}

export interface ConfusedPair {
  readonly label: number;
  readonly predicted: number;
  readonly count: number;
  /** Percent of the label's images. */
  readonly share: number;
}

/** The class pairs most often taken for one another, most frequent first. */
export function mostConfused(confusion: Int32Array, classes: number, limit = 10): ConfusedPair[] {
  const pairs: ConfusedPair[] = [];
  for (let label = 0; label < classes; label++) {
    const row = confusion.subarray(label * classes, (label + 1) * classes);
    const total = row.reduce((sum, count) => sum + count, 0);
    row.forEach((count, predicted) => {
      if (count > 0 && predicted !== label) pairs.push({ label, predicted, count, share: (100 * count) / total });
    });
  }
  return pairs.sort((a, b) => b.count - a.count || b.share - a.share || a.label - b.label).slice(0, limit);
}

/** Wrong predictions, the most confident first: often wrong labels rather than wrong answers. */
export function worstMistakes(predictions: readonly Prediction[], limit = 10): Prediction[] {
  return predictions
    .filter(({ label, predicted }) => label !== predicted)
    .sort((a, b) => b.confidence - a.confidence || a.index - b.index)
    .slice(0, limit);
}

/** Percent right of each class; NaN for a class without images. */
export function classAccuracy(confusion: Int32Array, classes: number): number[] {
  return Array.from({ length: classes }, (_, label) => {
    const row = confusion.subarray(label * classes, (label + 1) * classes);
    return (100 * row[label]!) / row.reduce((sum, count) => sum + count, 0);
  });
}

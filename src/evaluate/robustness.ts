/** Accuracy on corrupted images: every corruption of `images/corrupt` at every strength, on the same images as the clean run. */
import type { Tensor } from '../core/tensor.ts';
import {
  CORRUPTION_NAMES,
  type CorruptionName,
  corrupt,
  STRENGTHS,
  type Strength,
} from '../images/corrupt/corruptions.ts';
import { type Classifier, type Evaluation, evaluate, type LabeledBatch } from './evaluate.ts';

export interface CorruptedAccuracy {
  readonly corruption: CorruptionName;
  /** The score in percent, of strengths 1, 2 and 3. */
  readonly scores: readonly number[];
  readonly mean: number;
}

export interface Robustness {
  /** What is measured: mean average precision where images may have several labels, else top-1. */
  readonly metric: 'top1' | 'map';
  /** The score in percent of the images as they are. */
  readonly clean: number;
  readonly corruptions: readonly CorruptedAccuracy[];
  /** Mean score over all corruptions and strengths. */
  readonly mean: number;
  /** Percentage points lost: `clean − mean`. */
  readonly drop: number;
}

const scoreOf = ({ averagePrecision, top1 }: Evaluation): number => averagePrecision?.mean ?? top1;
const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Measures accuracy under every corruption; `batches` gives the same images each time it is called. */
export async function robustness(
  classifier: Classifier,
  batches: () => AsyncIterable<LabeledBatch>,
  classes: number,
  clean: Evaluation,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Robustness> {
  const total = CORRUPTION_NAMES.length * STRENGTHS.length;
  const corruptions: CorruptedAccuracy[] = [];
  for (const corruption of CORRUPTION_NAMES) {
    const scores: number[] = [];
    for (const strength of STRENGTHS) {
      onProgress(corruptions.length * STRENGTHS.length + scores.length, total);
      scores.push(scoreOf((await evaluate(classifier, corrupted(batches(), corruption, strength), classes))!));
    }
    corruptions.push({ corruption, scores, mean: meanOf(scores) });
  }
  onProgress(total, total);
  const mean = meanOf(corruptions.map((one) => one.mean));
  const metric = clean.averagePrecision ? 'map' : 'top1';
  return { metric, clean: scoreOf(clean), corruptions, mean, drop: scoreOf(clean) - mean };
}

async function* corrupted(
  batches: AsyncIterable<LabeledBatch>,
  name: CorruptionName,
  strength: Strength,
): AsyncGenerator<LabeledBatch> {
  for await (const batch of batches) yield { ...batch, images: corruptImages(batch, name, strength) };
}

/** A batch's images, corrupted; padding stays as it is. */
function corruptImages({ images, count }: LabeledBatch, name: CorruptionName, strength: Strength): Tensor {
  const [, size, , channels] = images.shape as [number, number, number, number];
  const bytes = size * size * channels;
  const source = images.data as Uint8Array;
  const data = new Uint8Array(source);
  for (let n = 0; n < count; n++) {
    const pixels = { data: source.subarray(n * bytes, (n + 1) * bytes), size };
    data.set(corrupt(pixels, name, strength), n * bytes);
  }
  return { shape: images.shape, data };
}

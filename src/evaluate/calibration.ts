/** How far the probabilities of a classifier can be believed: reliability by bins, and ECE (Guo et al., arXiv 1706.04599). */
import type { Prediction } from './evaluate.ts';

/** Predictions whose confidence lies in `(from, to]`. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of the predicted class, 0 to 1; 0 in an empty bin. */
  readonly confidence: number;
  /** Share of right predictions, 0 to 1; 0 in an empty bin. */
  readonly accuracy: number;
}

export interface Calibration {
  /** Expected calibration error in percentage points: the gap between confidence and accuracy, weighted by images. */
  readonly ece: number;
  /** Mean confidence minus accuracy, in percentage points: above 0 the model is surer than it is right. */
  readonly overconfidence: number;
  readonly bins: readonly ReliabilityBin[];
}

/** Bins of equal width, as Guo et al. use. */
export const ECE_BINS = 15;

/** Sorts predictions into bins by confidence and compares it with accuracy. */
export function calibrationOf(
  predictions: Iterable<Pick<Prediction, 'label' | 'predicted' | 'confidence'>>,
  bins: number = ECE_BINS,
): Calibration {
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (const { label, predicted, confidence } of predictions) {
    const bin = sums[Math.max(0, Math.min(bins - 1, Math.ceil(confidence * bins) - 1))]!;
    bin.count++;
    bin.confidence += confidence;
    if (label === predicted) bin.right++;
  }
  const total = Math.max(
    1,
    sums.reduce((sum, { count }) => sum + count, 0),
  );
  const gap = ({ confidence, right }: { confidence: number; right: number }): number => confidence - right;
  return {
    ece: (100 * sums.reduce((sum, bin) => sum + Math.abs(gap(bin)), 0)) / total,
    overconfidence: (100 * sums.reduce((sum, bin) => sum + gap(bin), 0)) / total,
    bins: sums.map(({ count, confidence, right }, i) => ({
      from: i / bins,
      to: (i + 1) / bins,
      count,
      confidence: count ? confidence / count : 0,
      accuracy: count ? right / count : 0,
    })),
  };
}

import { hash, hashText } from '../core/random.ts';
import type { Dataset, Sample } from './dataset.ts';

/** How a reader splits data that has no validation images of its own. */
export interface SplitOptions {
  /** Fraction of each class that is held out for validation; 0: none is, and `val` stays empty. */
  readonly valFraction: number;
  readonly seed: number;
  /** The data is only a part of a set (its validation images), so one class is enough. */
  readonly partial?: boolean | undefined;
}

export type SplitName = 'train' | 'val' | 'test';

/** What the three parts of a data set are called by various people. */
export const SPLIT_NAMES: Readonly<Record<SplitName, readonly string[]>> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev'],
  test: ['test', 'testing'],
};

/** The split with this name, whatever its case. */
export function splitNamed(name: string): SplitName | undefined {
  const found = Object.entries(SPLIT_NAMES).find(([, names]) => names.includes(name.trim().toLowerCase()));
  return found?.[0] as SplitName | undefined;
}

/**
 * Splits off a fraction of every class by the hash of each sample's name and the seed, so that adding samples
 * moves no others between the sides. Each class keeps at least one image on each side (if it has two). Images with
 * several classes go by their first. A fraction of 0 holds nothing out.
 */
export function splitDataset(
  dataset: Dataset,
  fraction: number,
  seed: number,
  nameOf: (sample: Sample) => string,
): { train: Dataset; val: Dataset } {
  if (fraction === 0) return { train: dataset, val: { ...dataset, samples: [] } };
  const byLabel = new Map<number, { sample: Sample; share: number }[]>();
  for (const sample of dataset.samples) {
    const share = hash(seed, hashText(nameOf(sample).replaceAll('\\', '/'))) / 2 ** 32;
    const ofClass = byLabel.get(sample.label);
    if (ofClass) ofClass.push({ sample, share });
    else byLabel.set(sample.label, [{ sample, share }]);
  }
  const held = new Set<Sample>();
  for (const ofClass of byLabel.values()) {
    ofClass.sort((a, b) => a.share - b.share);
    const chosen = ofClass.filter(({ share }) => share < fraction);
    if (chosen.length === 0 && ofClass.length > 1) chosen.push(ofClass[0]!);
    if (chosen.length === ofClass.length) chosen.pop();
    for (const { sample } of chosen) held.add(sample);
  }
  const side = (keep: (sample: Sample) => boolean): Dataset => ({ ...dataset, samples: dataset.samples.filter(keep) });
  return { train: side((sample) => !held.has(sample)), val: side((sample) => held.has(sample)) };
}

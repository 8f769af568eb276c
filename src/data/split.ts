import { hash, hashText } from '../core/random.ts';
import type { Dataset, Sample } from './dataset.ts';

/**
 * Splits off a fraction of every class by the hash of each sample's name and the seed, so that adding samples
 * moves no others between the sides. Each class keeps at least one image on each side (if it has two).
 */
export function splitDataset(
  dataset: Dataset,
  fraction: number,
  seed: number,
  nameOf: (sample: Sample) => string,
): { train: Dataset; val: Dataset } {
  const share = (sample: Sample): number => hash(seed, hashText(nameOf(sample).replaceAll('\\', '/'))) / 2 ** 32;
  const held = new Set<Sample>();
  dataset.classes.forEach((_, label) => {
    const ofClass = dataset.samples.filter((sample) => sample.label === label).toSorted((a, b) => share(a) - share(b));
    const chosen = ofClass.filter((sample) => share(sample) < fraction);
    if (chosen.length === 0 && ofClass.length > 1) chosen.push(ofClass[0]!);
    if (chosen.length === ofClass.length && ofClass.length > 0) chosen.pop();
    for (const sample of chosen) held.add(sample);
  });
  const side = (keep: (sample: Sample) => boolean): Dataset => ({ ...dataset, samples: dataset.samples.filter(keep) });
  return { train: side((sample) => !held.has(sample)), val: side((sample) => held.has(sample)) };
}

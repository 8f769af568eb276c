/** What readers of packed data sets (IDX, CIFAR) share. */
import { UserError } from '../../core/errors.ts';
import type { Dataset, Sample, SplitDataset } from '../dataset.ts';
import { type SplitOptions, splitDataset } from '../split.ts';

/** Splits validation images off the training ones, by their names. Throws a UserError if there are fewer than two classes. */
export function withValidation(
  classes: readonly string[],
  train: readonly Sample[],
  test: readonly Sample[] | undefined,
  { valFraction, seed, partial }: SplitOptions,
): SplitDataset {
  const found = new Set(train.map(({ label }) => label));
  if (found.size < 2 && !partial)
    throw new UserError(
      `"${train[0]?.source ?? train[0]?.path ?? 'The data set'}" has images of ${found.size} class${found.size === 1 ? '' : 'es'}; a classifier needs at least two.`,
      'Get the files anew.',
    );
  const warnings = classes
    .filter((_, label) => !found.has(label))
    .map((name) => `There are no training images of the class "${name}".`);
  const dataset: Dataset = { classes, samples: train };
  const split = splitDataset(dataset, valFraction, seed, ({ part }) => part!.name);
  return { ...split, ...(test ? { test: { classes, samples: test } } : {}), warnings };
}

/** Throws a UserError unless every label names one of the classes, whose labels begin with `first`. */
export function checkLabels(path: string, labels: Uint8Array, classes: number, first = 0): void {
  const wrong = labels.find((label) => label < first || label >= first + classes);
  if (wrong === undefined) return;
  throw new UserError(
    `"${path}" has a label ${wrong}, but there are ${classes} classes (${first} … ${first + classes - 1}).`,
    'Get the file anew; it may be of another data set.',
  );
}

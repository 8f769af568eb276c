/** Makes a data set of images whose classes are given by name: what lists, shards and tables share. */
import { closestMatch, UserError } from '../core/errors.ts';
import type { Dataset, Place, Sample, SplitDataset } from './dataset.ts';
import { byName } from './readers/tree.ts';
import { type SplitName, type SplitOptions, splitDataset } from './split.ts';

export interface Labeled {
  readonly place: Place;
  /** Names of its classes: one, or any number in a multi-label set. */
  readonly labels: readonly string[];
  readonly split: SplitName;
  /** The name by which it is split. */
  readonly name: string;
}

export interface Assembly {
  /** The whole, for people. */
  readonly name: string;
  readonly items: readonly Labeled[];
  /** Undefined: the names that occur, in natural order. */
  readonly classes?: readonly string[] | undefined;
  readonly multiLabel: boolean;
  /** Names an item to people: where its label stands. */
  readonly where: (item: Labeled) => string;
}

/** Numbers the classes, checks them, and splits validation images off where there are none. */
export function assemble(assembly: Assembly, options: SplitOptions): SplitDataset {
  const { items, multiLabel } = assembly;
  const classes = assembly.classes ?? [...new Set(items.flatMap(({ labels }) => labels))].sort(byName);
  const index = new Map(classes.map((name, i) => [name, i]));
  const parts: Record<SplitName, Sample[]> = { train: [], val: [], test: [] };
  const names = new Map<Sample, string>();
  for (const item of items) {
    const sample = sampleOf(assembly, item, classes, index);
    names.set(sample, item.name);
    parts[item.split].push(sample);
  }
  const warnings = options.partial ? [] : checkTraining(assembly, classes, index, parts.train);
  const part = (samples: readonly Sample[]): Dataset => ({ classes, samples, ...(multiLabel ? { multiLabel } : {}) });
  const test = parts.test.length ? { test: part(parts.test) } : {};
  if (parts.val.length) return { train: part(parts.train), val: part(parts.val), ownVal: true, ...test, warnings };
  const nameOf = (sample: Sample): string => names.get(sample)!;
  return { ...splitDataset(part(parts.train), options.valFraction, options.seed, nameOf), ...test, warnings };
}

function sampleOf(
  { multiLabel, where }: Assembly,
  item: Labeled,
  classes: readonly string[],
  index: ReadonlyMap<string, number>,
): Sample {
  const labels = [...new Set(item.labels)].map((name) => {
    const label = index.get(name);
    if (label !== undefined) return label;
    const near = closestMatch(name, classes);
    throw new UserError(
      `${where(item)}: "${name.slice(0, 80)}" is none of the ${classes.length} classes.`,
      near
        ? `Did you mean "${near}"?`
        : `The classes are ${classes.slice(0, 5).join(', ')}${classes.length > 5 ? ', …' : ''}.`,
    );
  });
  if (!multiLabel) return { ...item.place, label: labels[0]! };
  labels.sort((a, b) => a - b);
  return { ...item.place, label: labels[0] ?? -1, labels };
}

/** Every class that is measured must have been trained, and there must be something to tell apart. */
function checkTraining(
  assembly: Assembly,
  classes: readonly string[],
  index: ReadonlyMap<string, number>,
  train: readonly Sample[],
): string[] {
  const { name, items, multiLabel, where } = assembly;
  if (train.length === 0)
    throw new UserError(`"${name}" has no training images.`, 'Mark some as train, or leave the splits out.');
  const trained = new Set(train.flatMap(({ label, labels }) => labels ?? [label]));
  const isNew = (label: string): boolean => !trained.has(index.get(label)!);
  const untrained = items.find(({ split, labels }) => split !== 'train' && labels.some(isNew));
  if (untrained)
    throw new UserError(
      `${where(untrained)}: there are no training images of "${untrained.labels.find(isNew)}".`,
      'Correct the label, or add training images of that class.',
    );
  if (trained.size < (multiLabel ? 1 : 2))
    throw new UserError(
      `"${name}" has training images of ${trained.size} class${trained.size === 1 ? '' : 'es'}; a classifier needs at least ${multiLabel ? 'one' : 'two'}.`,
      'Add images of another class, for instance of everything else.',
    );
  return classes
    .filter((_, label) => !trained.has(label))
    .map((className) => `There are no training images of the class "${className}".`);
}

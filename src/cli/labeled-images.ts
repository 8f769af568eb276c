/** Which labeled images a command looks at, and how their classes match the model's. */
import { resolve } from 'node:path';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { closestMatch, UserError } from '../core/errors.ts';
import { type Dataset, withClasses } from '../data/dataset.ts';
import { withoutExcluded } from '../data/exclude-node.ts';
import { readSplitData } from '../data/held-out-node.ts';
import type { OpenedModel } from './open-model.ts';
import { differences } from './plan-run.ts';

export interface LabeledImages {
  readonly dataset: Dataset;
  /** For people: `val of photos`. */
  readonly description: string;
  readonly warnings: readonly string[];
  /** Training and validation images are kept apart, by the data itself or by the run. */
  readonly apart: boolean;
}

/** What has classes, and perhaps images of its own. */
export interface Labeled {
  readonly model: Pick<ModelFile, 'classes' | 'multiLabel'>;
  readonly run?: OpenedModel['run'];
}

const SPLITS = ['train', 'val', 'test', 'all'] as const;
type Split = (typeof SPLITS)[number];

function checkSplit(name: string): Split {
  if ((SPLITS as readonly string[]).includes(name)) return name as Split;
  const near = closestMatch(name, SPLITS);
  throw new UserError(
    `There is no split "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${SPLITS.join(', ')}.`,
    2,
  );
}

/**
 * The images to evaluate a model on: the folder's, or the run's own. Without `split`: val where the folder has its
 * own or the run held some out of this very folder, else all. Labels are the model's class numbers.
 */
export async function labeledImages({ model, run }: Labeled, dir?: string, split?: string): Promise<LabeledImages> {
  const folder = dir ?? run?.meta.data;
  if (folder === undefined)
    throw new UserError(
      'There is no folder of images.',
      'A file does not know its images; name a folder with one folder per class.',
      2,
    );
  const own = run !== undefined && resolve(folder) === run.meta.data;
  const { val_fraction, seed } = run?.recipe ?? { val_fraction: 0.5, seed: 0 };
  const asked = split === undefined ? undefined : checkSplit(split);
  const options = { valFraction: val_fraction, seed, partial: !own };
  const read = await readSplitData(folder, own ? run.meta.val : undefined, options);
  const data = await withoutExcluded(read, folder, own ? run.meta.exclude : undefined);
  const apart = own || data.ownVal === true;
  const choice = asked ?? (apart ? 'val' : 'all');
  const parts = choice === 'all' ? [data.train, data.val, ...(data.test ? [data.test] : [])] : [data[choice]];
  const samples = parts.flatMap((part) => part?.samples ?? []);
  if (samples.length === 0) throw new UserError(`${folder} has no ${choice} images.`, 'Choose another --split.');
  const named = relabel({ ...data.train, samples }, model.classes, folder);
  const dataset = model.multiLabel ? severalLabels(named) : named;
  const which = choice === 'all' ? 'all images' : `${choice} images`;
  return {
    dataset,
    description: `${which} of ${folder}`,
    warnings: [...data.warnings, ...mismatch(dataset, model)],
    apart,
  };
}

/** One label an image as a set of one, so that a model for several is judged as what it is. */
function severalLabels(dataset: Dataset): Dataset {
  const samples = dataset.samples.map((sample) => ({ ...sample, labels: sample.labels ?? [sample.label] }));
  return { ...dataset, samples, multiLabel: true };
}

function mismatch(dataset: Dataset, { multiLabel }: Labeled['model']): string[] {
  return dataset.multiLabel && !multiLabel
    ? [
        'The model was trained to give each image one class, and these images may have several; its loss on them means little.',
      ]
    : [];
}

/** The dataset with the model's class numbers. Numbered classes (of files without names) are matched in order. */
function relabel(dataset: Dataset, wanted: readonly string[], folder: string): Dataset {
  const { classes } = dataset;
  const unnamed = wanted.every((name, i) => name === String(i));
  const index = classes.map((name, i) => (unnamed && classes.length === wanted.length ? i : wanted.indexOf(name)));
  if (index.includes(-1))
    throw new UserError(
      `${folder} has other classes than the model: ${differences(wanted, classes)}.`,
      unnamed
        ? `The model has ${wanted.length} classes without names; a folder of ${wanted.length} classes would be matched in order.`
        : 'Rename the class folders to the names the model was trained with; mobileone info MODEL lists them.',
    );
  return withClasses(dataset, wanted, index);
}

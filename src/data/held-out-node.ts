/** Data whose validation images are named apart: by a list, or as a data set of their own. */
import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { closestMatch, UserError } from '../core/errors.ts';
import { type Dataset, type Place, type Sample, type SplitDataset, withClasses } from './dataset.ts';
import { readData } from './readers/data-node.ts';
import { type ImageList, LIST_NAME, readList, wrongLine } from './readers/list-file-node.ts';
import { resolveListed } from './readers/list-node.ts';
import type { SplitOptions } from './split.ts';

/** Files that hold or list labeled images, unlike a plain list of paths. */
const DATA_NAME = /\.(csv|tsv|jsonl|ndjson|zip|tar|tgz|parquet|gz)$|ubyte$/i;

/**
 * Reads data as `readData` does; `val` names its validation images: a list of paths picks them from the data, a list with
 * labels, a folder or an archive are images of their own. What is for validation is not for training.
 */
export async function readSplitData(
  path: string,
  val: string | undefined,
  options: SplitOptions,
): Promise<SplitDataset> {
  if (val === undefined) return await readData(path, options);
  const info = await stat(val).catch(() => undefined);
  if (!info) throw new UserError(`There is no file or folder "${val}" for validation.`, 'Check the path of --val.');
  const data = await readData(path, { ...options, valFraction: 0 });
  const list = info.isFile() && (LIST_NAME.test(val) || !DATA_NAME.test(val)) ? await readList(val) : undefined;
  if (list && !list.labeled) return await pick(data, path, list);
  const own = await readData(val, { ...options, valFraction: 0, partial: true });
  return withOwn(data, own, val);
}

/** Tells images apart: by file, and where in it. */
const keyOf = ({ path, part }: Place): string => `${resolve(path)}\0${part?.offset ?? ''}`;

/** Takes the images that a list names from the others. */
async function pick(data: SplitDataset, root: string, list: ImageList): Promise<SplitDataset> {
  const pool = [...data.train.samples, ...data.val.samples];
  const folder = resolve((await stat(root)).isDirectory() ? root : dirname(root));
  const byName = namesOf(pool, folder);
  const chosen = new Set<Sample>();
  for (const { image, line } of list.rows) {
    const plain = image.replaceAll('\\', '/').replace(/^\.\//, '');
    const found = byName.get(resolveListed(list.path, image)) ?? byName.get(plain);
    if (found === undefined)
      throw wrongLine(
        list.path,
        line,
        `"${image}" is no image of "${root}"`,
        'Paths are relative to the list or the data.',
      );
    if (found === 'several')
      throw wrongLine(
        list.path,
        line,
        `"${image}" could be several images of "${root}"`,
        'Name the file too: FILE:NAME.',
      );
    chosen.add(found);
  }
  const val: Dataset = { ...data.train, samples: pool.filter((sample) => chosen.has(sample)) };
  return checkTraining({ ...data, train: without(data.train, val), val, ownVal: true }, list.path);
}

/** Samples by all that a list may call them: the file, its path below a folder, or the name inside an archive. */
function namesOf(samples: readonly Sample[], folder: string): Map<string, Sample | 'several'> {
  const names = new Map<string, Sample | 'several'>();
  const add = (name: string, sample: Sample): void => {
    const known = names.get(name);
    names.set(name, known === undefined || known === sample ? sample : 'several');
  };
  for (const sample of samples) {
    const file = resolve(sample.source ?? sample.path);
    const below = relative(folder, file).replaceAll('\\', '/');
    if (sample.part) {
      add(sample.part.name, sample);
      add(`${below}:${sample.part.name}`, sample);
      add(`${file}:${sample.part.name}`, sample);
    } else {
      add(file, sample);
      if (!below.startsWith('../') && !isAbsolute(below)) add(below, sample);
    }
  }
  return names;
}

/** Puts the images of another data set in the place of the validation images. */
function withOwn(data: SplitDataset, own: SplitDataset, name: string): SplitDataset {
  const { classes } = data.train;
  const found = own.ownVal ? own.val : own.train;
  if (found.multiLabel !== data.train.multiLabel)
    throw new UserError(
      `Images of "${name}" have ${found.multiLabel ? 'any number of classes' : 'one class'} each, unlike the training images.`,
      'Use lists with the same columns: "label" in both, or "labels" in both.',
    );
  const index = found.classes.map((one) => classes.indexOf(one));
  const used = new Set(found.samples.flatMap(({ label, labels }) => labels ?? [label]));
  const unknown = found.classes.find((_, i) => index[i] === -1 && used.has(i));
  if (unknown !== undefined) {
    const near = closestMatch(unknown, classes);
    throw new UserError(
      `"${name}" has images of "${unknown}", a class that the training images lack.`,
      near ? `Is it meant to be "${near}"?` : 'Remove them, or add training images of that class.',
    );
  }
  const val = withClasses(found, classes, index);
  const train = without(data.train, val);
  const shared = data.train.samples.length - train.samples.length;
  const notes =
    shared > 0
      ? [`${shared} validation images of "${name}" were among the training images; they are taken out there.`]
      : [];
  const warnings = [...data.warnings, ...own.warnings.filter((one) => !one.includes('no training images')), ...notes];
  return checkTraining({ ...data, train, val, ownVal: true, warnings }, name);
}

function without(train: Dataset, val: Dataset): Dataset {
  const taken = new Set(val.samples.map(keyOf));
  return { ...train, samples: train.samples.filter((sample) => !taken.has(keyOf(sample))) };
}

/** Warns of classes of which all images went into validation. */
function checkTraining(data: SplitDataset, name: string): SplitDataset {
  const { train, val } = data;
  const trained = new Set(train.samples.flatMap(({ label, labels }) => labels ?? [label]));
  const lost = [...new Set(val.samples.flatMap(({ label, labels }) => labels ?? [label]))].filter(
    (one) => !trained.has(one),
  );
  if (train.samples.length === 0)
    throw new UserError(`"${name}" takes all images for validation; none is left for training.`, 'List fewer.');
  const warnings = lost.map(
    (label) => `All images of "${train.classes[label]}" are for validation, none for training.`,
  );
  return { ...data, warnings: [...data.warnings, ...warnings] };
}

/**
 * Folder-per-class data: DIR/{train,val,test}/CLASS/… (val also named valid or validation), or DIR/CLASS/…, which is
 * split. Nested folders inside a class are read; hidden files are not. The same rules hold inside archives.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { closestMatch, UserError } from '../../core/errors.ts';
import { holdsImages, IMAGE_NAME } from '../../images/sniff-node.ts';
import type { Dataset, Sample, SplitDataset } from '../dataset.ts';
import { type SplitOptions, splitDataset } from '../split.ts';
import { diskTree, listFolder } from './disk-tree-node.ts';
import { type FileTree, joined } from './tree.ts';

const VAL_NAMES = ['val', 'valid', 'validation'];
/** Folders with one of these names and no others are taken for splits, not for classes. */
export const SPLIT_NAME: RegExp = /^(train(ing)?|test(ing)?|val(id(ation)?)?|eval(uation)?|dev)$/i;
/** Files that are data sets of their own when they are named. */
const DATA_FILE = /\.(zip|tar|parquet|csv|tsv|jsonl|ndjson)$/i;

interface Classes {
  readonly classes: readonly string[];
  /** Files of each class; anything that is a file counts, so that a text file among pictures is told, not passed over. */
  readonly files: ReadonlyMap<string, readonly string[]>;
}

/** The class folders of a folder and all files below each. */
async function readClasses(tree: FileTree, folder: string): Promise<Classes> {
  const { folders } = await tree.list(folder);
  const files = new Map<string, readonly string[]>();
  for (const name of folders) files.set(name, await tree.below(joined(folder, name)));
  return { classes: folders, files };
}

/** A sample's path in its tree, by which it is split. */
type Paths = Map<Sample, string>;

function makeDataset(tree: FileTree, classes: readonly string[], { files }: Classes, paths: Paths): Dataset {
  const samples = classes.flatMap((name, label) =>
    (files.get(name) ?? []).map((file): Sample => {
      const sample = { ...tree.place(file), label };
      paths.set(sample, file);
      return sample;
    }),
  );
  return { classes, samples };
}

async function checkFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => error.code ?? 'error');
  if (typeof found === 'object') {
    if (!found.isDirectory())
      throw new UserError(`"${folder}" is a file, not a folder.`, 'Give a folder with one folder of images a class.');
    return;
  }
  if (found !== 'ENOENT' && found !== 'ENOTDIR')
    throw new UserError(`The folder "${folder}" cannot be read (${found}).`, 'Check its permissions.');
  let parent = dirname(folder);
  while (parent !== dirname(parent) && !(await stat(parent).catch(() => undefined))?.isDirectory())
    parent = dirname(parent);
  const { folders, files } = await listFolder(parent);
  const near = closestMatch(basename(folder), [...folders, ...files.filter((name) => DATA_FILE.test(name))]);
  throw new UserError(
    `There is no ${DATA_FILE.test(folder) ? 'file' : 'folder'} "${folder}".`,
    near ? `Did you mean "${join(parent, near)}"?` : `The nearest folder that exists is "${parent}".`,
  );
}

function checkImages(name: string, dataset: Dataset, loose: readonly string[], partial = false): void {
  const { classes, samples } = dataset;
  if (samples.length === 0) {
    const pictures = loose.filter((file) => IMAGE_NAME.test(file)).length;
    const file = loose.find((one) => DATA_FILE.test(one));
    throw new UserError(
      pictures ? `"${name}" holds ${pictures} images, but no folder a class.` : `There are no images in "${name}".`,
      `${file ? `If the data is "${file}", name that file. Or put` : 'Put'} the images of each class into a folder named after it: DIR/cat/1.jpg, DIR/dog/1.jpg, …`,
    );
  }
  if (classes.length < 2 && !partial) {
    throw new UserError(
      `"${name}" has images of one class only ("${classes[0]}"); a classifier needs at least two.`,
      'Add a folder with images of another class, for instance of everything else.',
    );
  }
}

/** The classes that have images; a warning tells of each that is left out. */
async function keepFilled(tree: FileTree, folder: string, found: Classes, warnings: string[]): Promise<string[]> {
  const kept: string[] = [];
  for (const name of found.classes) {
    const files = found.files.get(name) ?? [];
    if (await holdsImages(files, (file) => tree.head(file))) kept.push(name);
    else {
      const what = files.length ? 'holds no images' : 'is empty';
      warnings.push(`The class folder "${tree.name(joined(folder, name))}" ${what}; the class is left out.`);
    }
  }
  return kept;
}

/** Reads a data folder; throws a UserError that says what is wrong with it and what to do. */
export async function readFolder(folder: string, options: SplitOptions): Promise<SplitDataset> {
  await checkFolder(folder);
  return await readTree(diskTree(folder), '', options);
}

/** Reads the classes, or the splits with classes, of a folder of a tree. */
export async function readTree(tree: FileTree, folder: string, options: SplitOptions): Promise<SplitDataset> {
  const { folders, files: loose } = await tree.list(folder);
  if (await hasSplits(tree, folder, folders)) return readSplits(tree, folder, folders, options);
  const warnings: string[] = [];
  const paths: Paths = new Map();
  const found = await readClasses(tree, folder);
  const dataset = makeDataset(tree, await keepFilled(tree, folder, found, warnings), found, paths);
  checkImages(tree.name(folder), dataset, loose, options.partial);
  return { ...splitBelow(folder, dataset, paths, options), warnings };
}

/** Splits by the paths below a folder, so that the same folder elsewhere or in an archive is split the same way. */
function splitBelow(
  folder: string,
  dataset: Dataset,
  paths: Paths,
  { valFraction, seed }: SplitOptions,
): { train: Dataset; val: Dataset } {
  const start = folder === '' ? 0 : folder.length + 1;
  return splitDataset(dataset, valFraction, seed, (sample) => paths.get(sample)!.slice(start));
}

/** Whether the folder holds train, val and test rather than classes (of which one may be called "train"). */
async function hasSplits(tree: FileTree, folder: string, folders: readonly string[]): Promise<boolean> {
  const onlySplits = folders.length > 0 && folders.every((name) => SPLIT_NAME.test(name));
  if (folders.includes('train')) return onlySplits || (await tree.list(joined(folder, 'train'))).folders.length > 0;
  if (onlySplits) {
    throw new UserError(
      `"${tree.name(folder)}" holds ${folders.map((name) => `"${name}"`).join(', ')}, but no folder "train".`,
      `Name the folders train, val and test (val and test may be missing), each with one folder of images a class.`,
    );
  }
  return false;
}

async function readSplits(
  tree: FileTree,
  folder: string,
  folders: readonly string[],
  options: SplitOptions,
): Promise<SplitDataset> {
  const warnings: string[] = [];
  const paths: Paths = new Map();
  const trainFolder = joined(folder, 'train');
  const found = await readClasses(tree, trainFolder);
  const classes = await keepFilled(tree, trainFolder, found, warnings);
  const dataset = makeDataset(tree, classes, found, paths);
  checkImages(tree.name(trainFolder), dataset, (await tree.list(trainFolder)).files, options.partial);
  const readOther = async (name: string): Promise<Dataset> => {
    const other = await readClasses(tree, joined(folder, name));
    const filled = [...other.files].filter(([, files]) => files.length > 0).map(([className]) => className);
    checkSameClasses(tree.name(joined(folder, name)), tree.name(trainFolder), classes, filled);
    return makeDataset(tree, classes, other, paths);
  };
  const test = folders.includes('test') ? { test: await readOther('test') } : {};
  const valName = VAL_NAMES.find((name) => folders.includes(name));
  if (valName) return { train: dataset, val: await readOther(valName), ownVal: true, ...test, warnings };
  return { ...splitBelow(folder, dataset, paths, options), ...test, warnings };
}

/** Both folders must have images of the same classes, or the figures of one would not be about the other. */
function checkSameClasses(here: string, there: string, train: readonly string[], other: readonly string[]): void {
  const unknown = other.filter((className) => !train.includes(className));
  const missing = train.filter((className) => !other.includes(className));
  if (unknown.length === 0 && missing.length === 0) return;
  const listed = (names: readonly string[]): string =>
    names.slice(0, 10).join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '');
  const parts = [
    ...(unknown.length ? [`"${here}" has classes that "${there}" lacks: ${listed(unknown)}.`] : []),
    ...(missing.length ? [`"${here}" has no images of classes in "${there}": ${listed(missing)}.`] : []),
  ];
  const near = unknown.length ? closestMatch(unknown[0]!, missing) : undefined;
  throw new UserError(
    parts.join(' '),
    `${near ? `Is "${unknown[0]}" meant to be "${near}"? ` : ''}Both need the same class folders: rename, move or remove some.`,
  );
}

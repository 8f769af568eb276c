/**
 * Folder-per-class data: DIR/{train,val,test}/CLASS/… (val also named valid or validation), or DIR/CLASS/…, which is
 * split. Nested folders inside a class are read; hidden files are not.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { closestMatch, UserError } from '../../core/errors.ts';
import { holdsImages, IMAGE_NAME } from '../../images/sniff-node.ts';
import type { Dataset, Sample, SplitDataset } from '../dataset.ts';
import { splitDataset } from '../split.ts';

export interface FolderOptions {
  /** Fraction of each class that is held out when there are no train and val folders. */
  readonly valFraction: number;
  readonly seed: number;
}

const VAL_NAMES = ['val', 'valid', 'validation'];
/** Folders with one of these names and no others are taken for splits, not for classes. */
const SPLIT_NAME = /^(train(ing)?|test(ing)?|val(id(ation)?)?|eval(uation)?|dev)$/i;
/** What operating systems leave among pictures. */
const CLUTTER = /^(\..*|__MACOSX|Thumbs\.db|desktop\.ini)$/i;
const natural = new Intl.Collator('en', { numeric: true });
const byName = (a: string, b: string): number => natural.compare(a, b) || (a < b ? -1 : 1);

interface Listing {
  readonly folders: string[];
  readonly files: string[];
}

/** Visible folders and files, links followed. */
async function list(folder: string): Promise<Listing> {
  const folders: string[] = [];
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (CLUTTER.test(entry.name)) continue;
    const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => undefined) : entry;
    if (target?.isDirectory()) folders.push(entry.name);
    else if (target?.isFile()) files.push(entry.name);
  }
  return { folders: folders.sort(byName), files: files.sort(byName) };
}

/** Every file below a folder; a link that leads back is followed once. */
async function filesBelow(folder: string, seen: Set<string>): Promise<string[]> {
  const real = await realpath(folder);
  if (seen.has(real)) return [];
  seen.add(real);
  const { folders, files } = await list(folder);
  const nested: string[] = [];
  for (const name of folders) nested.push(...(await filesBelow(join(folder, name), seen)));
  return [...files.map((name) => join(folder, name)), ...nested];
}

interface Classes {
  readonly classes: readonly string[];
  /** Paths of each class; anything that is a file counts, so that a text file among pictures is told, not passed over. */
  readonly files: ReadonlyMap<string, readonly string[]>;
}

/** The class folders of a folder and all files below each. */
async function readClasses(folder: string): Promise<Classes> {
  const { folders } = await list(folder);
  const files = new Map<string, string[]>();
  for (const name of folders) files.set(name, await filesBelow(join(folder, name), new Set()));
  return { classes: folders, files };
}

function makeDataset(classes: readonly string[], files: ReadonlyMap<string, readonly string[]>): Dataset {
  const samples = classes.flatMap((name, label) => (files.get(name) ?? []).map((path): Sample => ({ path, label })));
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
  const near = closestMatch(basename(folder), (await list(parent)).folders);
  throw new UserError(
    `There is no folder "${folder}".`,
    near ? `Did you mean "${join(parent, near)}"?` : `The nearest folder that exists is "${parent}".`,
  );
}

function checkImages(folder: string, dataset: Dataset, loose: readonly string[]): void {
  const { classes, samples } = dataset;
  if (samples.length === 0) {
    const pictures = loose.filter((name) => IMAGE_NAME.test(name)).length;
    throw new UserError(
      pictures ? `"${folder}" holds ${pictures} images, but no folder a class.` : `There are no images in "${folder}".`,
      'Put the images of each class into a folder named after it: DIR/cat/1.jpg, DIR/dog/1.jpg, …',
    );
  }
  if (classes.length < 2) {
    throw new UserError(
      `"${folder}" has images of one class only ("${classes[0]}"); a classifier needs at least two.`,
      'Add a folder with images of another class, for instance of everything else.',
    );
  }
}

/** The classes that have images; a warning tells of each that is left out. */
async function keepFilled({ classes, files }: Classes, folder: string, warnings: string[]): Promise<string[]> {
  const kept: string[] = [];
  for (const name of classes) {
    const paths = files.get(name) ?? [];
    if (await holdsImages(paths)) kept.push(name);
    else {
      const what = paths.length ? 'holds no images' : 'is empty';
      warnings.push(`The class folder "${join(folder, name)}" ${what}; the class is left out.`);
    }
  }
  return kept;
}

/** Reads a data folder; throws a UserError that says what is wrong with it and what to do. */
export async function readFolder(folder: string, options: FolderOptions): Promise<SplitDataset> {
  await checkFolder(folder);
  const { folders, files: loose } = await list(folder);
  if (await hasSplits(folder, folders)) return readSplits(folder, folders, options);
  const warnings: string[] = [];
  const found = await readClasses(folder);
  const dataset = makeDataset(await keepFilled(found, folder, warnings), found.files);
  checkImages(folder, dataset, loose);
  return {
    ...splitDataset(dataset, options.valFraction, options.seed, ({ path }) => relative(folder, path)),
    warnings,
  };
}

/** Whether the folder holds train, val and test rather than classes (of which one may be called "train"). */
async function hasSplits(folder: string, folders: readonly string[]): Promise<boolean> {
  const onlySplits = folders.length > 0 && folders.every((name) => SPLIT_NAME.test(name));
  if (folders.includes('train')) return onlySplits || (await list(join(folder, 'train'))).folders.length > 0;
  if (onlySplits) {
    throw new UserError(
      `"${folder}" holds ${folders.map((name) => `"${name}"`).join(', ')}, but no folder "train".`,
      `Name the folders train, val and test (val and test may be missing), each with one folder of images a class.`,
    );
  }
  return false;
}

async function readSplits(folder: string, folders: readonly string[], options: FolderOptions): Promise<SplitDataset> {
  const warnings: string[] = [];
  const trainFolder = join(folder, 'train');
  const found = await readClasses(trainFolder);
  const classes = await keepFilled(found, trainFolder, warnings);
  const dataset = makeDataset(classes, found.files);
  checkImages(trainFolder, dataset, (await list(trainFolder)).files);
  const readOther = async (name: string): Promise<Dataset> => {
    const { files } = await readClasses(join(folder, name));
    const filled = [...files].filter(([, paths]) => paths.length > 0).map(([className]) => className);
    checkSameClasses(folder, name, classes, filled);
    return makeDataset(classes, files);
  };
  const test = folders.includes('test') ? { test: await readOther('test') } : {};
  const valName = VAL_NAMES.find((name) => folders.includes(name));
  if (valName) return { train: dataset, val: await readOther(valName), ...test, warnings };
  const split = splitDataset(dataset, options.valFraction, options.seed, ({ path }) => relative(folder, path));
  return { ...split, ...test, warnings };
}

/** Both folders must have images of the same classes, or the figures of one would not be about the other. */
function checkSameClasses(folder: string, name: string, train: readonly string[], other: readonly string[]): void {
  const unknown = other.filter((className) => !train.includes(className));
  const missing = train.filter((className) => !other.includes(className));
  if (unknown.length === 0 && missing.length === 0) return;
  const [here, there] = [join(folder, name), join(folder, 'train')];
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

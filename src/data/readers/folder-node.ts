/**
 * Folder-per-class data: DIR/{train,val,test}/CLASS/… (val also named valid or validation), or DIR/CLASS/…, which is
 * split. Nested folders inside a class are read; hidden files are not.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { closestMatch, UserError } from '../../core/errors.ts';
import type { Dataset, Sample, SplitDataset } from '../dataset.ts';
import { splitDataset } from '../split.ts';

export interface FolderOptions {
  /** Fraction of each class that is held out when there are no train and val folders. */
  readonly valFraction: number;
  readonly seed: number;
}

const VAL_NAMES = ['val', 'valid', 'validation'];
const IMAGE = /\.(jpe?g|jfif|png|webp|gif|tiff?|avif|heif|heic|bmp)$/i;
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
    if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
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

/** Files of one class. Anything that is a file counts, so that a text file among the pictures is told, not passed over. */
async function readClasses(folder: string): Promise<{ classes: string[]; files: Map<string, string[]> }> {
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
    const pictures = loose.filter((name) => IMAGE.test(name)).length;
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

/** Leaves out classes without any image, with a warning. */
function dropEmpty(
  classes: readonly string[],
  files: ReadonlyMap<string, readonly string[]>,
  folder: string,
  warnings: string[],
): string[] {
  return classes.filter((name) => {
    const empty = (files.get(name) ?? []).length === 0;
    if (empty) warnings.push(`The class folder "${join(folder, name)}" is empty; the class is left out.`);
    return !empty;
  });
}

/** Reads a data folder; throws a UserError that says what is wrong with it and what to do. */
export async function readFolder(folder: string, options: FolderOptions): Promise<SplitDataset> {
  await checkFolder(folder);
  const { folders, files: loose } = await list(folder);
  const valName = VAL_NAMES.find((name) => folders.includes(name));
  const warnings: string[] = [];
  if (folders.includes('train')) return readSplits(folder, valName, folders.includes('test'), options, warnings);

  const { classes, files } = await readClasses(folder);
  const dataset = makeDataset(dropEmpty(classes, files, folder, warnings), files);
  checkImages(folder, dataset, loose);
  return { ...splitDataset(dataset, options.valFraction, options.seed, (path) => relative(folder, path)), warnings };
}

async function readSplits(
  folder: string,
  valName: string | undefined,
  hasTest: boolean,
  options: FolderOptions,
  warnings: string[],
): Promise<SplitDataset> {
  const trainFolder = join(folder, 'train');
  const { classes: all, files } = await readClasses(trainFolder);
  const classes = dropEmpty(all, files, trainFolder, warnings);
  const dataset = makeDataset(classes, files);
  checkImages(trainFolder, dataset, (await list(trainFolder)).files);
  const readOther = async (name: string): Promise<Dataset> => {
    const other = await readClasses(join(folder, name));
    checkSameClasses(
      folder,
      name,
      classes,
      [...other.files].filter(([, paths]) => paths.length > 0).map(([className]) => className),
    );
    const missing = classes.filter((className) => !other.files.get(className)?.length);
    if (missing.length) warnings.push(`"${join(folder, name)}" has no images of ${missing.join(', ')}.`);
    return makeDataset(classes, other.files);
  };
  const test = hasTest ? { test: await readOther('test') } : {};
  if (valName) return { train: dataset, val: await readOther(valName), ...test, warnings };
  const split = splitDataset(dataset, options.valFraction, options.seed, (path) => relative(folder, path));
  return { ...split, ...test, warnings };
}

function checkSameClasses(folder: string, name: string, train: readonly string[], other: readonly string[]): void {
  const unknown = other.filter((className) => !train.includes(className));
  if (unknown.length === 0) return;
  const near = closestMatch(
    unknown[0]!,
    train.filter((className) => !other.includes(className)),
  );
  throw new UserError(
    `"${join(folder, name)}" has classes that "${join(folder, 'train')}" lacks: ${unknown.slice(0, 10).join(', ')}.`,
    `${near ? `Is "${unknown[0]}" meant to be "${near}"? ` : ''}Both need the same class folders: rename or remove these.`,
  );
}

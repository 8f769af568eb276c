/** Lists of images to leave out of a data set, as `mobileone data doctor --fix` writes them or by hand. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { UserError } from '../core/errors.ts';
import { type Dataset, type Place, type Sample, type SplitDataset, sampleName } from './dataset.ts';
import { delimiterOf, parseCsv } from './readers/csv.ts';

/**
 * The names in a list: one path a line, or CSV with a column `path`; of CSV with a column `action` only the rows that say
 * `drop`. Lines that begin with # are comments.
 */
export function parseExclusions(text: string): string[] {
  const lines = text.split(/\r?\n|\r/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const delimiter = delimiterOf(lines[0] ?? '');
  const header = (lines[0] ?? '').split(delimiter).map((name) => name.trim().toLowerCase());
  const path = header.indexOf('path');
  if (path === -1) return lines.map((line) => line.trim());
  const action = header.indexOf('action');
  const rows = [...parseCsv(lines.slice(1).join('\n'), delimiter)];
  return rows
    .filter(({ cells }) => action === -1 || cells[action]?.trim() === 'drop')
    .map(({ cells }) => cells[path] ?? '');
}

/** Reads such a list. */
export async function readExclusions(file: string): Promise<string[]> {
  const wrong = (error: Error): never => {
    throw new UserError(`The list of images to leave out, ${file}, can't be read: ${error.message}.`, 'Check it.');
  };
  const text = await readFile(file, 'utf8').catch(wrong);
  try {
    return parseExclusions(text);
  } catch (error) {
    return wrong(error as Error);
  }
}

/** The folder that names in lists are relative to: the data's, or that of its file. */
async function baseOf(data: string): Promise<string> {
  const isFile = (await stat(data).catch(() => undefined))?.isFile() ?? false;
  return isFile ? dirname(data) : data;
}

/** Makes the function that gives a sample's name with its path relative to the data: how lists of images name it. */
export async function namesInside(data: string): Promise<(sample: Place) => string> {
  const base = await baseOf(data);
  return (sample) => {
    const { source = sample.path } = sample;
    return sampleName({ ...sample, source: relative(base, source).replaceAll('\\', '/') });
  };
}

/**
 * The data without the named images; names are relative to the data folder or the working directory, or absolute. The
 * splits stay as they were. Throws a UserError when none of the names is there.
 */
export function excludeImages(
  data: SplitDataset,
  folder: string,
  names: readonly string[],
  list: string,
): SplitDataset {
  const named = new Set(names.flatMap((name) => [resolve(join(folder, name)), resolve(name)]));
  const found = new Set<string>();
  const keep = (sample: Sample): boolean => {
    const name = resolve(sampleName(sample));
    if (!named.has(name)) return true;
    found.add(name);
    return false;
  };
  const without = (dataset: Dataset): Dataset => ({ ...dataset, samples: dataset.samples.filter(keep) });
  const { train, val, test, warnings } = data;
  const kept = { ...data, train: without(train), val: without(val), ...(test ? { test: without(test) } : {}) };
  if (names.length > 0 && found.size === 0)
    throw new UserError(
      `Nothing that ${list} names is in ${folder}; the first of ${names.length} is ${names[0]}.`,
      'Paths in the list are relative to the folder of images, or absolute.',
    );
  const missing = names.filter((name) => !found.has(resolve(join(folder, name))) && !found.has(resolve(name)));
  const left = found.size === 1 ? '1 image is' : `${found.size} images are`;
  const gone = missing.length === 1 ? '1 image' : `${missing.length} images`;
  return {
    ...kept,
    warnings: [
      ...warnings,
      `${left} left out, as ${list} says.`,
      ...(missing.length > 0 ? [`${gone} of ${list} can't be found, the first: ${missing[0]}.`] : []),
    ],
  };
}

/** The data without what a list names, if there is one. */
export async function withoutExcluded(
  data: SplitDataset,
  folder: string,
  list: string | undefined,
): Promise<SplitDataset> {
  return list === undefined ? data : excludeImages(data, await baseOf(folder), await readExclusions(list), list);
}

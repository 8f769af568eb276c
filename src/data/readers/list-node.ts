/** Lists of images with their labels: one file, or train, val and test lists in a folder. Paths are relative to the list. */
import { stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { UserError } from '../../core/errors.ts';
import { assemble, type Labeled } from '../assemble.ts';
import type { SplitDataset } from '../dataset.ts';
import type { SplitName, SplitOptions } from '../split.ts';
import { splitNamed } from '../split.ts';
import { listFolder } from './disk-tree-node.ts';
import { type ImageList, LIST_NAME, type ListRow, readList, wrongLine } from './list-file-node.ts';
import type { Source } from './source.ts';

/** The lists of a folder by the split that they are named after. */
function listsIn(names: readonly string[]): Map<SplitName, string> {
  const found = new Map<SplitName, string>();
  for (const name of names.filter((one) => LIST_NAME.test(one))) {
    const split = splitNamed(name.replace(LIST_NAME, ''));
    if (!split) continue;
    if (found.has(split))
      throw new UserError(`Both "${found.get(split)}" and "${name}" could be the ${split} list.`, 'Keep one of them.');
    found.set(split, name);
  }
  return found;
}

/** Whether the folder has a list of training images, and not its classes as folders. */
export async function hasLists({ folder, names }: Source): Promise<boolean> {
  if (!names.some((name) => LIST_NAME.test(name) && splitNamed(name.replace(LIST_NAME, '')) === 'train')) return false;
  const inside = await listFolder(join(folder, 'train')).catch(() => undefined);
  return !inside || inside.folders.length === 0;
}

/** The file that a list means: relative to the list, with slashes of either kind. */
export function resolveListed(list: string, image: string): string {
  return resolve(dirname(list), sep === '/' ? image.replaceAll('\\', '/') : image);
}

interface Entry extends Labeled {
  readonly list: string;
  readonly line: number;
}

/** Reads the lists. Throws a UserError that names the line that is wrong. */
export async function readLists({ folder, names, file }: Source, options: SplitOptions): Promise<SplitDataset> {
  const lists = file === undefined ? [...listsIn(names)] : [[undefined, file] as const];
  const read = await Promise.all(
    lists.map(async ([split, name]) => ({ split, list: await readList(join(folder, name)) })),
  );
  const multiLabel = read[0]!.list.multiLabel;
  for (const { split, list } of read) checkColumns(list, split, multiLabel);
  const warnings: string[] = [];
  const entries = takeOnce(
    read.flatMap(({ split, list }) => list.rows.map((row) => entryOf(list.path, row, split))),
    warnings,
  );
  await checkSomeExist(entries);
  const name = file === undefined ? folder : join(folder, file);
  const where = (item: Labeled): string => `"${(item as Entry).list}", line ${(item as Entry).line}`;
  const data = assemble({ name, items: entries, multiLabel, where }, options);
  return { ...data, warnings: [...warnings, ...data.warnings] };
}

function checkColumns(list: ImageList, split: SplitName | undefined, multiLabel: boolean): void {
  if (!list.labeled)
    throw wrongLine(list.path, 1, 'there is no column of classes', 'Call it "label", or "labels" for several each.');
  if (list.multiLabel !== multiLabel)
    throw wrongLine(list.path, 1, 'one list has "label" and another "labels"', 'Use the same columns in all lists.');
  if (split && list.hasSplits)
    throw wrongLine(
      list.path,
      1,
      `the file is named after a split (${split}), and has a column "split" too`,
      'Remove the column, or name the file alone: mobileone train FILE.',
    );
}

function entryOf(list: string, { line, image, labels, split }: ListRow, fileSplit: SplitName | undefined): Entry {
  const place = { path: resolveListed(list, image) };
  const name = image.replaceAll('\\', '/').replace(/^\.\//, '');
  return { place, labels: labels!, split: fileSplit ?? split ?? 'train', name, list, line };
}

/** An image that is listed again counts once; with other labels, or in another split, it is a mistake. */
function takeOnce(entries: readonly Entry[], warnings: string[]): Entry[] {
  const seen = new Map<string, Entry>();
  let repeated = 0;
  for (const entry of entries) {
    const { place, labels, split, list, line, name } = entry;
    const before = seen.get(place.path);
    if (!before) {
      seen.set(place.path, entry);
      continue;
    }
    const there = `line ${before.line}${before.list === list ? '' : ` of "${before.list}"`}`;
    if (before.split !== split)
      throw wrongLine(list, line, `"${name}" is for ${split}, but on ${there} for ${before.split}`, 'Remove one.');
    if (String([...labels].sort()) !== String([...before.labels].sort()))
      throw wrongLine(
        list,
        line,
        `"${name}" is "${labels.join(', ')}", but on ${there} "${before.labels.join(', ')}"`,
        'Remove one; for images of several classes use a column "labels".',
      );
    repeated++;
  }
  if (repeated > 0) warnings.push(`${repeated} lines name an image that was listed before; each image counts once.`);
  return [...seen.values()];
}

/** When none of the files exists the paths are meant otherwise, and no message about each of them helps. */
async function checkSomeExist(entries: readonly Entry[]): Promise<void> {
  for (const { place } of entries) if (await stat(place.path).catch(() => undefined)) return;
  const { list, line, place } = entries[0]!;
  throw wrongLine(
    list,
    line,
    `there is no file "${place.path}", nor any other that is listed`,
    'Paths are relative to the folder of the list.',
  );
}

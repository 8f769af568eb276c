/** Opens a data set of any kind that is known: one table, the first that recognizes the folder or file reads it. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import type { SplitDataset } from '../dataset.ts';
import type { SplitOptions } from '../split.ts';
import { isCifar, readCifar } from './cifar-node.ts';
import { readFolder } from './folder-node.ts';
import { IDX_NAME, isIdx, readIdx } from './idx-node.ts';
import { LIST_NAME } from './list-file-node.ts';
import { hasLists, readLists } from './list-node.ts';
import { hasParquet, PARQUET_NAME, readParquet } from './parquet-node.ts';
import type { Source } from './source.ts';
import { hasTars, readWebDataset, TAR_NAME } from './webdataset-node.ts';
import { readZip } from './zip-node.ts';

interface Reader {
  /** Names of the files that it reads when one is named. */
  readonly file?: RegExp;
  /** Whether it reads a folder. */
  readonly knows?: (source: Source) => boolean | Promise<boolean>;
  readonly read: (source: Source, options: SplitOptions) => Promise<SplitDataset>;
}

const READERS: Readonly<Record<string, Reader>> = {
  idx: { file: IDX_NAME, knows: isIdx, read: readIdx },
  cifar: { knows: isCifar, read: readCifar },
  list: { file: LIST_NAME, knows: hasLists, read: readLists },
  zip: { file: /\.zip$/i, read: ({ folder, file }, options) => readZip(join(folder, file!), options) },
  parquet: { file: PARQUET_NAME, knows: hasParquet, read: readParquet },
  webdataset: { file: TAR_NAME, knows: hasTars, read: readWebDataset },
  folder: { knows: () => true, read: ({ folder }, options) => readFolder(folder, options) },
};

/** Whether `readData` reads a path by what it holds, and not as a tree of image files: a list, an archive, packed images. */
export async function isPacked(path: string): Promise<boolean> {
  const isFile = (await stat(path).catch(() => undefined))?.isFile() ?? false;
  const { folder: _, ...others } = READERS;
  const readers = Object.values(others);
  if (isFile) return readers.some(({ file }) => file?.test(basename(path)));
  const names = (await readdir(path).catch((): string[] => [])).toSorted();
  for (const { knows } of readers) if (await knows?.({ folder: path, names })) return true;
  return false;
}

/**
 * Reads a folder or file of images with labels: one folder a class, CSV or JSONL lists, a zip archive, WebDataset's tar
 * files, Hugging Face's parquet files, IDX files (MNIST and its family), or CIFAR's binary files.
 */
export async function readData(path: string, options: SplitOptions): Promise<SplitDataset> {
  const isFile = (await stat(path).catch(() => undefined))?.isFile() ?? false;
  const folder = isFile ? dirname(path) : path;
  const names = (await readdir(folder).catch((): string[] => [])).toSorted();
  const readers = Object.values(READERS);
  if (isFile) {
    const file = basename(path);
    const reader = readers.find((one) => one.file?.test(file));
    if (reader) return await reader.read({ folder, names, file }, options);
    throw new UserError(
      `"${path}" is a file, not a folder, and of no kind that is known.`,
      'Name a folder with one folder of images a class, a list (.csv, .tsv, .jsonl), or a .zip, .tar or .parquet file.',
    );
  }
  const source: Source = { folder, names };
  for (const { knows, read } of readers) if (await knows?.(source)) return await read(source, options);
  throw new Error('internal error: the last reader reads every folder');
}

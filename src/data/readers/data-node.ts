/** Opens a data set of any kind that is known: one table, the first that recognizes the folder reads it. */
import { readdir } from 'node:fs/promises';
import type { SplitDataset } from '../dataset.ts';
import { isCifar, readCifar } from './cifar-node.ts';
import { readFolder } from './folder-node.ts';
import { isIdx, readIdx } from './idx-node.ts';
import type { SplitOptions } from './packed.ts';

interface Reader {
  /** Whether a folder with these names is read by it. */
  readonly knows: (names: readonly string[]) => boolean;
  readonly read: (folder: string, names: readonly string[], options: SplitOptions) => Promise<SplitDataset>;
}

const READERS: Readonly<Record<string, Reader>> = {
  idx: { knows: isIdx, read: readIdx },
  cifar: { knows: isCifar, read: readCifar },
  folder: { knows: () => true, read: (folder, _names, options) => readFolder(folder, options) },
};

/** Reads IDX files (MNIST and its family), CIFAR's binary files, or one folder of images a class. */
export async function readData(folder: string, options: SplitOptions): Promise<SplitDataset> {
  const names = (await readdir(folder).catch((): string[] => [])).toSorted();
  const reader = Object.values(READERS).find(({ knows }) => knows(names))!;
  return await reader.read(folder, names, options);
}

/** Data sets that come as several files of one kind: train-00000.tar, train/0000.parquet, data/validation-….parquet. */
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import { type SplitName, splitNamed } from '../split.ts';
import { listFolder } from './disk-tree-node.ts';
import type { Source } from './source.ts';
import type { Listing } from './tree.ts';

export interface Shard {
  readonly path: string;
  readonly split: SplitName;
}

/** The split that a file's name has as a word of its own: `imagenet-train-0001.tar`. */
function splitIn(name: string): SplitName | undefined {
  return name
    .split(/[^a-z]+/i)
    .map(splitNamed)
    .find((split) => split !== undefined);
}

/**
 * The files with an ending: in the folder itself, else in its folder `data` or in folders named after splits. Names tell
 * the split; if none does, all are for training. Where folders lie beside such files, they are not the data.
 */
export async function listShards({ folder, names, file }: Source, ending: RegExp): Promise<Shard[]> {
  if (file !== undefined) return ending.test(file) ? [{ path: join(folder, file), split: 'train' }] : [];
  const inside = async (where: string): Promise<readonly string[]> => {
    const { folders, files } = await listFolder(where).catch((): Listing => ({ folders: [], files: [] }));
    return folders.length > 0 ? [] : files.filter((name) => ending.test(name));
  };
  const here = await inside(folder);
  if (here.length > 0) return splitByName(folder, here);
  const found: Shard[] = [];
  for (const name of names) {
    const split = splitNamed(name);
    if (!split && name !== 'data') continue;
    const shards = await inside(join(folder, name));
    if (split) found.push(...shards.map((one) => ({ path: join(folder, name, one), split })));
    else if (shards.length > 0) return splitByName(join(folder, name), shards);
  }
  return found;
}

function splitByName(folder: string, names: readonly string[]): Shard[] {
  const splits = names.map(splitIn);
  const unnamed = splits.indexOf(undefined);
  if (unnamed >= 0 && splits.some((split) => split !== undefined))
    throw new UserError(
      `"${join(folder, names[unnamed]!)}" says neither train, val nor test in its name, as others in the folder do.`,
      'Rename it, or move it elsewhere.',
    );
  return names.map((name, i) => ({ path: join(folder, name), split: splits[i] ?? 'train' }));
}

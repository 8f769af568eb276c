/** A zip archive of a folder of classes: read in place by the folder's rules, not unpacked. */
import { UserError } from '../../core/errors.ts';
import type { EncodedPart, SplitDataset } from '../dataset.ts';
import { readEncoded } from '../decode-sample-node.ts';
import type { SplitOptions } from '../split.ts';
import { readTree, SPLIT_NAME } from './folder-node.ts';
import { byName, type FileTree, isVisible, type Listing } from './tree.ts';
import { indexZip } from './zip-index-node.ts';

/** Reads a zip archive; a single folder around everything in it does not count. */
export async function readZip(path: string, options: SplitOptions): Promise<SplitDataset> {
  const tree = zipTree(path, await indexZip(path));
  return await readTree(tree, await rootOf(tree), options);
}

async function rootOf(tree: FileTree): Promise<string> {
  const [only, ...others] = (await tree.list('')).folders;
  if (only === undefined || others.length > 0 || SPLIT_NAME.test(only)) return '';
  return (await tree.list(only)).folders.length > 0 ? only : '';
}

interface Folder {
  readonly folders: Set<string>;
  readonly files: string[];
}

function zipTree(path: string, parts: readonly EncodedPart[]): FileTree {
  const byPath = new Map(parts.map((part) => [part.name, part]));
  const folders = new Map<string, Folder>([['', { folders: new Set(), files: [] }]]);
  const folderAt = (folder: string): Folder => {
    const known = folders.get(folder);
    if (known) return known;
    const made: Folder = { folders: new Set(), files: [] };
    folders.set(folder, made);
    const cut = folder.lastIndexOf('/');
    folderAt(folder.slice(0, Math.max(0, cut))).folders.add(folder.slice(cut + 1));
    return made;
  };
  for (const { name } of parts) {
    if (!name.split('/').every(isVisible)) continue;
    const cut = name.lastIndexOf('/');
    folderAt(name.slice(0, Math.max(0, cut))).files.push(name.slice(cut + 1));
  }
  const lists = new Map<string, Listing>(
    [...folders].map(([name, { folders: inner, files }]) => [
      name,
      { folders: [...inner].sort(byName), files: files.sort(byName) },
    ]),
  );
  const listOf = (folder: string): Listing => lists.get(folder) ?? { folders: [], files: [] };
  const below = (folder: string): string[] => {
    const start = folder === '' ? '' : `${folder}/`;
    const { folders: inner, files } = listOf(folder);
    return [...files.map((name) => start + name), ...inner.flatMap((name) => below(start + name))];
  };
  const nameOf = (inside: string): string => (inside === '' ? path : `${path}:${inside}`);
  return {
    name: nameOf,
    list: async (folder) => listOf(folder),
    below: async (folder) => below(folder),
    place: (file) => ({ path, part: byPath.get(file)! }),
    head: async (file) => {
      const bytes = await readEncoded(path, byPath.get(file)!, nameOf(file)).catch((error: Error) => {
        if (error instanceof UserError) return new Uint8Array(0);
        throw error;
      });
      return bytes.subarray(0, 512);
    },
  };
}

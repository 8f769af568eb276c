/** A folder on disk as a tree of files. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readHead } from '../../images/sniff-node.ts';
import { byName, type FileTree, isVisible, joined, type Listing } from './tree.ts';

/** Visible folders and files, links followed. */
export async function listFolder(folder: string): Promise<Listing> {
  const folders: string[] = [];
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!isVisible(entry.name)) continue;
    const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => undefined) : entry;
    if (target?.isDirectory()) folders.push(entry.name);
    else if (target?.isFile()) files.push(entry.name);
  }
  return { folders: folders.sort(byName), files: files.sort(byName) };
}

export function diskTree(root: string): FileTree {
  const at = (path: string): string => join(root, path);
  /** A link that leads back is followed once. */
  const below = async (folder: string, seen: Set<string>): Promise<string[]> => {
    const real = await realpath(at(folder));
    if (seen.has(real)) return [];
    seen.add(real);
    const { folders, files } = await listFolder(at(folder));
    const nested: string[] = [];
    for (const name of folders) nested.push(...(await below(joined(folder, name), seen)));
    return [...files.map((name) => joined(folder, name)), ...nested];
  };
  return {
    name: at,
    list: (folder) => listFolder(at(folder)),
    below: (folder) => below(folder, new Set()),
    place: (file) => ({ path: at(file) }),
    head: (file) => readHead(at(file)),
  };
}

/** A tree of files that readers list without knowing where it lies: a folder on disk, or the inside of an archive. */
import type { Place } from '../dataset.ts';

/** Names of a folder's visible folders and files, in natural order. */
export interface Listing {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** Paths in it are relative, with slashes; '' is the tree itself. */
export interface FileTree {
  /** How a path of it is named to people. */
  name(path: string): string;
  list(folder: string): Promise<Listing>;
  /** Every file below a folder. */
  below(folder: string): Promise<readonly string[]>;
  place(file: string): Place;
  /** The first bytes of a file. */
  head(file: string): Promise<Uint8Array>;
}

/** What operating systems leave among pictures. */
const CLUTTER = /^(\..*|__MACOSX|Thumbs\.db|desktop\.ini)$/i;
const natural = new Intl.Collator('en', { numeric: true });

/** Whether a file or folder is one that people put there. */
export function isVisible(name: string): boolean {
  return !CLUTTER.test(name);
}

/** The order of names in which numbers count: a2 before a10. */
export function byName(a: string, b: string): number {
  return natural.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

export const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** A tiny set of pictures for the tests of data formats, and how they write files of it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll } from 'vitest';
import type { SplitOptions } from '../../src/data/split.ts';
import type { Files } from './archives.ts';
import { imageFolder, photo } from './image-files.ts';

export const inFolder: () => string = imageFolder();
export const at = (...names: string[]): string => join(inFolder(), ...names);
export const SPLIT: SplitOptions = { valFraction: 0.25, seed: 1 };
export const CLASSES: readonly string[] = ['ant', 'bee', 'cat 10', 'cat "9"'].sort(
  new Intl.Collator('en', { numeric: true }).compare,
);
export const COUNTS = { train: 5, val: 2, test: 1 } as const;
export type Split = keyof typeof COUNTS;

export interface Picture {
  readonly split: Split;
  readonly label: number;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export const pictures: Picture[] = [];

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = at('cache');
  for (const split of Object.keys(COUNTS) as Split[])
    for (const [label, className] of CLASSES.entries())
      for (let i = 0; i < COUNTS[split]; i++) {
        const path = at('photo.jpg');
        await photo(path, pictures.length);
        pictures.push({ split, label, name: `${className}/${i}.jpg`, bytes: await readFile(path) });
      }
});

export async function write(folder: string, files: Files): Promise<string> {
  for (const [name, bytes] of files) {
    await mkdir(dirname(at(folder, name)), { recursive: true });
    await writeFile(at(folder, name), bytes);
  }
  return at(folder);
}

export const text = (content: string): Uint8Array => new TextEncoder().encode(content);
export const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
export const className = ({ label }: Picture): string => CLASSES[label]!;
export const ofSplit = (split: Split): Picture[] => pictures.filter((one) => one.split === split);

/** Writes a sample of WebDataset. */
export const wds = ({ name, bytes }: Picture, [ending, content]: readonly [string, string]): Files => [
  [name, bytes],
  [name.replace(/jpg$/, ending), text(content)],
];

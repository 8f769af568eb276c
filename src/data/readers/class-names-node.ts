/** A file beside the data that names its classes in the order of their numbers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';

const FILES = ['classes.txt', 'labels.txt', 'classes.json', 'labels.json', 'class_to_idx.json'];

/** The names, from the first file there is: a line each, a JSON array, or a JSON object from names to numbers or back. */
export async function readClassNames(folder: string): Promise<readonly string[] | undefined> {
  for (const file of FILES) {
    const path = join(folder, file);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const names = file.endsWith('.txt') ? text.split(/\r?\n/).map((line) => line.trim()) : fromJson(text);
    while (names?.at(-1) === '') names.pop();
    if (names && names.length > 0 && !names.includes('') && new Set(names).size === names.length) return names;
    throw new UserError(
      `"${path}" does not name classes.`,
      'Put a different name on each line, or a JSON array of names, or an object from each name to its number.',
    );
  }
  return undefined;
}

function fromJson(text: string): string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  if (Array.isArray(value)) return value.every((name) => typeof name === 'string') ? value : undefined;
  const pairs = Object.entries(value).map(([key, other]): [string, unknown] =>
    typeof other === 'string' ? [other, Number(key)] : [key, other],
  );
  const names = pairs.toSorted(([, a], [, b]) => Number(a) - Number(b)).map(([name]) => name);
  return pairs.every(([, number]) => Number.isInteger(number) && names[number as number] !== undefined) &&
    new Set(pairs.map(([, number]) => number)).size === pairs.length
    ? names
    : undefined;
}

/** The name that a label means: the one with its number, or itself. */
export function classNamed(label: string, names: readonly string[]): string {
  return (/^\d+$/.test(label) ? names[Number(label)] : undefined) ?? label;
}

/** The registry of export formats, and their files on disk. */
import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Format } from './format.ts';
import { ONNX } from './onnx/format-node.ts';

/** Every format that a model can be exported to, the default first. */
export const FORMATS: readonly Format[] = [ONNX];

/** Endings of files that are not the name of their format. */
const ENDINGS: Readonly<Record<string, string>> = { mlpackage: 'coreml' };

/** The format that a path's ending names, e.g. of `model.onnx`; undefined for others. */
export function formatOf(path: string): Format | undefined {
  const ending = /\.([a-z0-9]+)[\\/]?$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  return FORMATS.find(({ name }) => name === (ENDINGS[ending] ?? ending));
}

/** Exported files, as the contract of a format has them. */
export interface ExportedFiles {
  readonly path: string;
  readonly format: Format;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly main: string;
}

/**
 * The exported model that a path is, or that the bundle in a folder holds; undefined for what is neither. Throws a UserError
 * for a folder of several.
 */
export async function readExported(path: string): Promise<ExportedFiles | undefined> {
  if (!existsSync(path)) return undefined;
  const format = formatOf(path);
  if (format) return { path, format, ...(await readFiles(path)) };
  if (!statSync(path).isDirectory()) return undefined;
  const inside = (await readdir(path)).filter((name) => formatOf(name)).sort();
  if (inside.length > 1)
    throw new UserError(`${path} holds several exported models: ${inside.join(', ')}.`, 'Name one of them.');
  return inside[0] === undefined ? undefined : await readExported(join(path, inside[0]));
}

async function readFiles(path: string): Promise<Pick<ExportedFiles, 'files' | 'main'>> {
  const main = basename(path);
  const names = statSync(path).isDirectory()
    ? (await readdir(path, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(dirname(path).length + 1))
    : [main];
  const entries = names.map(async (name): Promise<[string, Uint8Array]> => {
    const bytes = new Uint8Array(await readFile(join(dirname(path), name)));
    return [name.replaceAll('\\', '/'), bytes];
  });
  return { main, files: new Map(await Promise.all(entries)) };
}

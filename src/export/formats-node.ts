/** The export formats, the one place where they are named, and their files on disk. */
import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { closestMatch, UserError } from '../core/errors.ts';
import { COREML } from './coreml/format.ts';
import type { Format } from './format.ts';
import { ONNX } from './onnx/format-node.ts';
import { COREML_READERS } from './readers/coreml.ts';
import { ONNX_READERS } from './readers/onnx.ts';
import type { Reader } from './readers/reader.ts';
import { SAFETENSORS_READERS } from './readers/safetensors.ts';
import { TFLITE_READERS } from './readers/tflite.ts';
import { SAFETENSORS } from './safetensors/format-node.ts';
import { TFLITE } from './tflite/format-node.ts';
import { WEB } from './web/format-node.ts';

/** In the order in which help and messages name them; the first is what is written when none is named. */
export const FORMATS: readonly Format[] = [ONNX, TFLITE, COREML, WEB, SAFETENSORS];

/** Small programs that run a format's file, for the bundle. A format that brings its own, or has none, is not here. */
const READERS: ReadonlyMap<Format, readonly Reader[]> = new Map([
  [ONNX, ONNX_READERS],
  [TFLITE, TFLITE_READERS],
  [COREML, COREML_READERS],
  [SAFETENSORS, SAFETENSORS_READERS],
]);

/** The readers of a format, by its name. */
export function readersOf(name: string): readonly Reader[] {
  return READERS.get(formatNamed(name)) ?? [];
}

/** The format of a name; a UserError with the nearest one, if there is none of that name. */
export function formatNamed(name: string): Format {
  const found = FORMATS.find((format) => format.name === name.toLowerCase());
  if (found) return found;
  const names = FORMATS.map((format) => format.name);
  const near = closestMatch(name, names);
  throw new UserError(
    `There is no format "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose of ${names.join(', ')}.`,
    2,
  );
}

/** The formats of a list with commas, each once. */
export function formatsNamed(list: string): Format[] {
  const names = list.split(',').map((name) => name.trim());
  const formats = [...new Set(names.filter((name) => name !== '').map(formatNamed))];
  if (formats.length === 0)
    throw new UserError(`"${list}" names no format.`, `Choose of ${FORMATS.map(({ name }) => name).join(', ')}.`, 2);
  return formats;
}

/** Endings of files that are not the name of their format. */
const ENDINGS: Readonly<Record<string, string>> = { mlpackage: 'coreml' };

/** The format that a path's ending names, e.g. of `model.onnx`; undefined for others. */
export function formatOf(path: string): Format | undefined {
  // A .safetensors file is opened as the model that it is, exported or not.
  const exported = FORMATS.filter((format) => format !== SAFETENSORS);
  const ending = /\.([a-z0-9]+)[\\/]?$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  return exported.find(({ name }) => name === (ENDINGS[ending] ?? ending));
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

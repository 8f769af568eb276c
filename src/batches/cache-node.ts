/**
 * Decoded images, kept as one file of RGB bytes and an index beside it. Built once for a list of files and a geometry;
 * changed files make another key. The index is written last and whole, so a half-built cache is never used.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { decodeImage, evalCrop } from '../images/decode-node.ts';
import type { RgbImage } from '../images/resize.ts';

/** How images are kept: shrunk to a short side for training, or as evaluation sees them. */
export type Geometry = { readonly shortSide: number } | { readonly size: number; readonly cropPct: number };

export interface SkippedImage {
  readonly path: string;
  readonly reason: string;
}

export interface CacheIndex {
  /** The file of pixels; undefined when it could not be written, and images are decoded each time. */
  readonly file: string | undefined;
  /** [offset, width, height] of each path; a broken image has width 0. */
  readonly entries: readonly (readonly [number, number, number])[];
  readonly skipped: readonly SkippedImage[];
}

export interface CacheOptions {
  readonly paths: readonly string[];
  readonly geometry: Geometry;
  readonly folder?: string | undefined;
  readonly parallel: number;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Told once if the cache cannot be written. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

const VERSION = 1;

/** The operating system's folder for caches. */
export function defaultCacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'mobileone', 'decoded');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'mobileone', 'decoded');
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'mobileone', 'decoded');
  return join(homedir(), '.cache', 'mobileone', 'decoded');
}

/** Reads one image as the geometry says. */
export async function readAs(path: string, geometry: Geometry): Promise<RgbImage> {
  if ('shortSide' in geometry) return decodeImage(path, { shortSide: geometry.shortSide });
  const data = evalCrop(await decodeImage(path), geometry);
  return { width: geometry.size, height: geometry.size, data };
}

async function keyOf(paths: readonly string[], geometry: Geometry): Promise<string> {
  const digest = createHash('sha256').update(JSON.stringify([VERSION, geometry]));
  for (const path of paths) {
    const info = await stat(path).catch(() => undefined);
    digest.update(`${path}\0${info?.size}\0${info?.mtimeMs}\n`);
  }
  return digest.digest('hex').slice(0, 32);
}

/** Opens the cache of these files, building it if there is none. */
export async function openCache(options: CacheOptions): Promise<CacheIndex> {
  const folder = options.folder ?? defaultCacheFolder();
  const name = await keyOf(options.paths, options.geometry);
  const file = join(folder, `${name}.bin`);
  const indexFile = join(folder, `${name}.json`);
  const kept = await readIndex(indexFile, file);
  return kept ?? build(options, folder, file, indexFile);
}

async function readIndex(indexFile: string, file: string): Promise<CacheIndex | undefined> {
  try {
    const index = JSON.parse(await readFile(indexFile, 'utf8')) as CacheIndex & { readonly bytes: number };
    return (await stat(file)).size === index.bytes ? { ...index, file } : undefined;
  } catch {
    return undefined;
  }
}

async function build(options: CacheOptions, folder: string, file: string, indexFile: string): Promise<CacheIndex> {
  const { paths, geometry, parallel, onProgress, onWarning } = options;
  const entries: [number, number, number][] = paths.map(() => [0, 0, 0]);
  const skipped: { index: number; path: string; reason: string }[] = [];
  const temporary = `${file}.${process.pid}.tmp`;
  let output: Awaited<ReturnType<typeof open>> | undefined;
  let end = 0;
  const giveUp = async (error: NodeJS.ErrnoException): Promise<void> => {
    const why = error.code === 'ENOSPC' ? 'the disk is full' : (error.code ?? error.message);
    onWarning?.(
      `Decoded images cannot be kept in "${folder}" (${why}); they are decoded again each epoch, which is slower.`,
    );
    const file = output;
    output = undefined;
    await file?.close().catch(() => {});
    await rm(temporary, { force: true }).catch(() => {});
  };
  try {
    await mkdir(folder, { recursive: true });
    output = await open(temporary, 'w');
  } catch (error) {
    await giveUp(error as NodeJS.ErrnoException);
  }
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      const index = next++;
      try {
        const { width, height, data } = await readAs(paths[index]!, geometry);
        const offset = end;
        end += data.length;
        entries[index] = [offset, width, height];
        if (output) await output.write(data, 0, data.length, offset).catch(giveUp);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        if (error.message.includes('sharp')) throw error;
        skipped.push({ index, path: paths[index]!, reason: error.message });
      }
      onProgress?.(++done, paths.length);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  skipped.sort((a, b) => a.index - b.index);
  const index = { entries, skipped: skipped.map(({ path, reason }) => ({ path, reason })) };
  if (!output) return { ...index, file: undefined };
  try {
    await output.close();
    await rename(temporary, file);
    await writeFile(`${indexFile}.tmp`, JSON.stringify({ ...index, bytes: end }));
    await rename(`${indexFile}.tmp`, indexFile);
    return { ...index, file };
  } catch (error) {
    await giveUp(error as NodeJS.ErrnoException);
    return { ...index, file: undefined };
  }
}

/** Reads images out of a cache, or decodes them where there is none. `close` when done. */
export function imageReader(
  index: Pick<CacheIndex, 'file' | 'entries'>,
  paths: readonly string[],
  geometry: Geometry,
): { read: (sample: number) => RgbImage | Promise<RgbImage>; close: () => void } {
  const { file, entries } = index;
  if (file === undefined) return { read: (sample) => readAs(paths[sample]!, geometry), close: () => {} };
  const descriptor = openSync(file, 'r');
  let buffer = new Uint8Array(0);
  return {
    read(sample) {
      const [offset, width, height] = entries[sample]!;
      const bytes = width * height * 3;
      if (buffer.length < bytes) buffer = new Uint8Array(bytes);
      readSync(descriptor, buffer, 0, bytes, offset);
      return { width, height, data: buffer.subarray(0, bytes) };
    },
    close: () => closeSync(descriptor),
  };
}

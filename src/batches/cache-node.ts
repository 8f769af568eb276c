/**
 * Decoded images, kept as one file of bytes and an index beside it that names it. Built once for a list of files and
 * a geometry; changed files make another key. The index comes last and whole, so a half-built cache is never used, and
 * two runs that build the same cache at once cannot mix theirs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UserError } from '../core/errors.ts';
import { cacheFolder } from '../data/cache-folder-node.ts';
import { type Place, placeOf, sampleName } from '../data/dataset.ts';
import { decodeSample } from '../data/decode-sample-node.ts';
import { loadSharp } from '../images/decode-node.ts';
import { evalCrop } from '../images/eval-crop.ts';
import type { PixelImage } from '../images/resize.ts';
import { openPixelFile, type PixelFile } from './pixel-file-node.ts';

/** How images are kept: shrunk to a short side for training, or as evaluation sees them. */
export type Geometry = ({ readonly shortSide: number } | { readonly size: number; readonly cropPct: number }) & {
  /** 1 gray, 3 RGB …; see images/channels.ts. */
  readonly channels: number;
};

export interface SkippedImage {
  /** The sample's name, for people. */
  readonly path: string;
  readonly sample: Place;
  readonly reason: string;
}

export interface CacheIndex {
  /** The file of pixels; undefined when it could not be written, and images are decoded each time. */
  readonly file: string | undefined;
  /** [offset, width, height] of each sample; a broken image has width 0. */
  readonly entries: readonly (readonly [number, number, number])[];
  readonly skipped: readonly SkippedImage[];
}

export interface CacheOptions {
  readonly samples: readonly Place[];
  readonly geometry: Geometry;
  readonly folder?: string | undefined;
  readonly parallel: number;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Told once if the cache cannot be written. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Raised whenever the pixels of a kept image would come out differently. */
const VERSION = 5;
const DAY = 24 * 3600 * 1000;

/** Reads one image as the geometry says. */
export async function readAs(sample: Place, geometry: Geometry): Promise<PixelImage> {
  const { channels } = geometry;
  if ('shortSide' in geometry) return decodeSample(sample, { shortSide: geometry.shortSide, channels });
  const data = evalCrop(await decodeSample(sample, { channels }), geometry);
  return { width: geometry.size, height: geometry.size, channels, data };
}

async function keyOf(samples: readonly Place[], geometry: Geometry): Promise<string> {
  const digest = createHash('sha256').update(JSON.stringify([VERSION, geometry]));
  const files = [...new Set(samples.map(({ path }) => path))];
  const stamps = new Map<string, string>();
  for (let first = 0; first < files.length; first += 64) {
    const some = files.slice(first, first + 64);
    const infos = await Promise.all(some.map((path) => stat(path).catch(() => undefined)));
    infos.forEach((info, i) => {
      stamps.set(some[i]!, `${resolve(some[i]!)}\0${info?.size}\0${info?.mtimeMs}`);
    });
  }
  for (const { path, part } of samples)
    digest.update(`${stamps.get(path)}${part ? `\0${JSON.stringify(part)}` : ''}\n`);
  return digest.digest('hex').slice(0, 32);
}

/** Opens the cache of these files, building it if there is none; images that cannot be decoded are listed as skipped. */
export async function openCache(options: CacheOptions): Promise<CacheIndex> {
  await loadSharp();
  const folder = options.folder ?? cacheFolder('decoded');
  const key = await keyOf(options.samples, options.geometry);
  const kept = await readIndex(folder, key, options.samples.length);
  if (kept && (await stillBroken(kept, options.geometry))) return kept;
  const file = await openPixelFile(
    folder,
    `${key}.${process.pid}.${randomBytes(4).toString('hex')}`,
    options.onWarning,
  );
  try {
    const built = await decodeAll(options, file);
    return await keep(built, file, folder, key, kept?.file);
  } catch (error) {
    await file.discard();
    throw error;
  }
}

type StoredIndex = CacheIndex & { readonly pixels: string; readonly bytes: number };

async function readIndex(folder: string, key: string, count: number): Promise<CacheIndex | undefined> {
  try {
    const { pixels, bytes, entries, skipped } = JSON.parse(
      await readFile(join(folder, `${key}.json`), 'utf8'),
    ) as StoredIndex;
    const file = join(folder, pixels);
    return (await stat(file)).size === bytes && entries.length === count ? { file, entries, skipped } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether images that were broken before still are: a reason such as missing permissions may be gone. */
async function stillBroken({ skipped }: CacheIndex, geometry: Geometry): Promise<boolean> {
  for (const { sample } of skipped) {
    const read = await readAs(sample, geometry).catch(() => undefined);
    if (read) return false;
  }
  return true;
}

/** Decodes every image into the file, several at a time. */
async function decodeAll(options: CacheOptions, file: PixelFile): Promise<Omit<CacheIndex, 'file'>> {
  const { samples, geometry, parallel, onProgress } = options;
  const entries: [number, number, number][] = samples.map(() => [0, 0, 0]);
  const reasons = new Map<number, string>();
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < samples.length) {
      const index = next++;
      try {
        const { width, height, data } = await readAs(samples[index]!, geometry);
        entries[index] = [await file.append(data), width, height];
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        reasons.set(index, error.message);
      }
      onProgress?.(++done, samples.length);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  const skipped = samples.flatMap((one, index) => {
    if (!reasons.has(index)) return [];
    const sample = placeOf(one);
    return [{ path: sampleName(sample), sample, reason: reasons.get(index)! }];
  });
  return { entries, skipped };
}

/** Puts a built cache in the place of the old one, unless there was none and another run has made one meanwhile. */
async function keep(
  built: Omit<CacheIndex, 'file'>,
  file: PixelFile,
  folder: string,
  key: string,
  old: string | undefined,
): Promise<CacheIndex> {
  const path = await file.finish();
  if (path === undefined) return { ...built, file: undefined };
  const other = old ? undefined : await readIndex(folder, key, built.entries.length);
  if (other) {
    await file.discard();
    return other;
  }
  const draft = `${path}.json.tmp`;
  try {
    await writeFile(draft, JSON.stringify({ pixels: file.name, bytes: file.bytes(), ...built }));
    await rename(draft, join(folder, `${key}.json`));
    if (old) await rm(old, { force: true }).catch(() => {});
    await removeLeftovers(folder);
    return { ...built, file: path };
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    await file.giveUp(error as NodeJS.ErrnoException);
    return { ...built, file: undefined };
  }
}

/** Removes what runs that were killed while building left behind. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    if (!name.endsWith('.tmp')) continue;
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info && Date.now() - info.mtimeMs > DAY) await rm(path, { force: true }).catch(() => {});
  }
}

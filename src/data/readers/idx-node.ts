/**
 * IDX files, as MNIST and its family come: train-images-idx3-ubyte, train-labels-idx1-ubyte, and t10k-… for the test; with
 * .gz they are unpacked into the cache folder. EMNIST's begin with emnist-SET-, their images lie on their side, and
 * emnist-SET-mapping.txt tells which characters the labels are.
 * Format: http://yann.lecun.com/exdb/mnist (a magic number whose last byte is the rank, big-endian sizes, bytes).
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { UserError } from '../../core/errors.ts';
import type { Sample, SplitDataset } from '../dataset.ts';
import { type OpenedFile, withFile } from '../read-at-node.ts';
import type { SplitOptions } from '../split.ts';
import { unpackOnce } from '../unpack-node.ts';
import { checkLabels, withValidation } from './packed.ts';
import type { Source } from './source.ts';

export const IDX_NAME: RegExp = /^(.*)[-_.]images[-_.]idx3[-_.]ubyte(\.gz)?$/;
const EMNIST = /^emnist-([a-z]+)-/;

/** The names of IDX image files among names, by their stem (`train`, `t10k`); the unpacked of two goes first. */
function stemsOf(names: readonly string[]): Map<string, string> {
  const found = names.flatMap((name): [string, string][] => {
    const match = IDX_NAME.exec(name);
    return match ? [[match[1]!, name]] : [];
  });
  return new Map(found.toSorted(([, a], [, b]) => b.length - a.length));
}

/** What the sets of a folder begin with: '' for plain MNIST, `emnist-letters-`. */
function prefixesOf(names: readonly string[]): string[] {
  return [...stemsOf(names).keys()].flatMap((stem) => (/^train$|-train$/.test(stem) ? [stem.slice(0, -5)] : []));
}

/** Whether a folder with these files is an IDX data set. */
export function isIdx({ names }: Source): boolean {
  return prefixesOf(names).length > 0;
}

/** Reads an IDX folder, or the set that a file belongs to; the files t10k-… (or test-…) are the test images. */
export async function readIdx({ folder, names, file }: Source, options: SplitOptions): Promise<SplitDataset> {
  const stems = stemsOf(names);
  const prefix = choosePrefix(folder, stems, file);
  const read = (stem: string): Promise<Pair> => {
    const images = stems.get(stem)!;
    const labels = images.replace(/images([-_.])idx3/, 'labels$1idx1');
    const packed = labels.endsWith('.gz') ? labels.slice(0, -3) : `${labels}.gz`;
    return readPair(
      join(folder, images),
      join(folder, names.includes(labels) || !names.includes(packed) ? labels : packed),
    );
  };
  const train = await read(`${prefix}train`);
  const testStem = [`${prefix}t10k`, `${prefix}test`].find((stem) => stems.has(stem));
  const test = testStem ? await read(testStem) : undefined;
  const most = 1 + train.labels.reduce((largest, label) => Math.max(largest, label), 0);
  const { classes, first } = (await emnistClasses(folder, prefix)) ?? {
    classes: Array.from({ length: most }, (_, i) => String(i)),
    first: 0,
  };
  const numbered = (pair: Pair): Sample[] => {
    checkLabels(pair.labelFile, pair.labels, classes.length, first);
    return first === 0 ? pair.samples : pair.samples.map((sample) => ({ ...sample, label: sample.label - first }));
  };
  return withValidation(classes, numbered(train), test && numbered(test), options);
}

function choosePrefix(folder: string, stems: ReadonlyMap<string, string>, file: string | undefined): string {
  const prefixes = prefixesOf([...stems.values()]).sort();
  if (file !== undefined) {
    const stem = IDX_NAME.exec(file)![1]!;
    const own = prefixes.find((prefix) => ['train', 't10k', 'test'].some((part) => stem === prefix + part));
    if (own !== undefined) return own;
    throw new UserError(
      `"${join(folder, file)}" belongs to no training images, whose name is …train-images-idx3-ubyte.`,
      'Name the training images, or the folder.',
    );
  }
  if (prefixes.length === 1) return prefixes[0]!;
  throw new UserError(
    `"${folder}" holds several data sets: ${prefixes.map((prefix) => `${prefix}train`).join(', ')}.`,
    `Name the training images of one, for instance ${join(folder, stems.get(`${prefixes[0]!}train`)!)}`,
  );
}

/** The characters that EMNIST's labels are, and the first label: of letters it is 1. */
async function emnistClasses(
  folder: string,
  prefix: string,
): Promise<{ classes: string[]; first: number } | undefined> {
  const set = EMNIST.exec(prefix)?.[1];
  if (set === undefined) return undefined;
  for (const name of [`${prefix}mapping.txt`, 'mapping.txt']) {
    const path = join(folder, name);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const rows = text
      .split(/\r?\n/)
      .flatMap((line) => (line.trim() === '' ? [] : [line.trim().split(/\s+/).map(Number)]));
    const first = rows[0]?.[0] ?? 0;
    // A letter's capital and small form may be one class; the capital comes first.
    const classes = rows.map(([, code]) =>
      Number.isInteger(code) && code! > 32 && code! < 127 ? String.fromCharCode(code!) : '',
    );
    const inOrder = rows.every(([label], i) => label === first + i);
    if (inOrder && classes.length > 0 && !classes.includes('') && new Set(classes).size === classes.length)
      return { classes, first };
    throw new UserError(
      `"${path}" is no mapping of labels to characters.`,
      'Each line is a label and its ASCII codes.',
    );
  }
  if (set === 'letters') return { classes: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'], first: 1 };
  return undefined;
}

interface Pair {
  readonly samples: Sample[];
  readonly labels: Uint8Array;
  readonly labelFile: string;
}

async function readPair(images: string, labelFile: string): Promise<Pair> {
  const [path, labelPath] = [await unpackedIdx(images), await unpackedIdx(labelFile)];
  const [count, height, width] = await withFile(path, (file) => readSizes(named(file, images), 3));
  const labels = await withFile(labelPath, (file) => {
    const [labelCount] = readSizes(named(file, labelFile), 1);
    if (labelCount !== count)
      throw new UserError(
        `"${images}" has ${count} images, but "${labelFile}" ${labelCount} labels.`,
        'Get both anew.',
      );
    return file.read(8, count!);
  });
  const bytes = width! * height!;
  const transposed = EMNIST.test(basename(images)) ? ({ transposed: true } as const) : {};
  const samples = Array.from(
    labels,
    (label, i): Sample => ({
      path,
      label,
      part: {
        kind: 'pixels',
        name: String(i),
        offset: 16 + i * bytes,
        width: width!,
        height: height!,
        channels: 1,
        ...transposed,
      },
      ...(path === images ? {} : { source: images }),
    }),
  );
  return { samples, labels, labelFile };
}

/** A file under the name that the user knows. */
function named(file: OpenedFile, path: string): OpenedFile {
  return { ...file, wrong: (why, hint = 'Get the file anew.') => new UserError(`"${path}" ${why}.`, hint) };
}

const HEAD = [0, 8, 12, 16] as const;

/** The sizes in the head of an IDX file of bytes; throws a UserError for another file, or one that is cut off. */
function readSizes(file: OpenedFile, rank: 1 | 3): number[] {
  const headBytes = HEAD[rank];
  const sizes = file.size < headBytes ? undefined : sizesIn(file.read(0, headBytes), rank);
  if (!sizes) throw file.wrong(`is no IDX file of ${rank === 3 ? 'images' : 'labels'}`);
  if (file.size < headBytes + product(sizes)) throw file.wrong('is cut off');
  if (sizes.includes(0)) throw file.wrong('holds nothing');
  return sizes;
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

function sizesIn(bytes: Uint8Array, rank: 1 | 3): number[] | undefined {
  const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (head.byteLength < HEAD[rank] || head.getUint32(0) !== 0x0800 + rank) return undefined;
  return Array.from({ length: rank }, (_, i) => head.getUint32(4 + 4 * i));
}

/** Deflate makes no file more than 1032 times smaller (https://zlib.net/zlib_tech.html). */
const MOST_RATIO = 1032;

/** The path of the unpacked file; what is not as long as its head says is refused while it is unpacked. */
async function unpackedIdx(path: string): Promise<string> {
  if (!path.endsWith('.gz')) return path;
  const wrong = (why: string): UserError => new UserError(`"${path}" ${why}.`, 'Get the file anew.');
  const rank = /labels[-_.]idx1/.test(path) ? 1 : 3;
  return await unpackOnce(path, async (append) => {
    const packed = (await stat(path)).size;
    let bytes = 0;
    let expected: number | undefined;
    try {
      for await (const chunk of createReadStream(path).pipe(createGunzip()) as AsyncIterable<Uint8Array>) {
        if (expected === undefined) {
          const sizes = sizesIn(chunk.subarray(0, HEAD[rank]), rank);
          if (!sizes) throw wrong(`is no IDX file of ${rank === 3 ? 'images' : 'labels'}`);
          expected = HEAD[rank] + product(sizes);
          if (expected > packed * MOST_RATIO) throw wrong('is damaged or cut off');
        }
        bytes += chunk.length;
        if (bytes > expected) throw wrong('is longer than its head says');
        await append(chunk);
      }
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw wrong(`cannot be unpacked: it is damaged or cut off (${(error as NodeJS.ErrnoException).code})`);
    }
    if (bytes !== expected) throw wrong('is damaged or cut off');
  });
}

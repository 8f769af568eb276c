/**
 * IDX files, as MNIST and its family come: train-images-idx3-ubyte, train-labels-idx1-ubyte, and t10k-… for the test.
 * Format: http://yann.lecun.com/exdb/mnist (a magic number whose last byte is the rank, big-endian sizes, bytes).
 */
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import type { Sample, SplitDataset } from '../dataset.ts';
import { checkLabels, type SplitOptions, withValidation } from './packed.ts';

const IMAGES = /^(.*)[-_.]images[-_.]idx3[-_.]ubyte(\.gz)?$/;

/** The names of IDX image files among names, by their stem (`train`, `t10k`). */
function stemsOf(names: readonly string[]): Map<string, string> {
  const found = names.flatMap((name): [string, string][] => {
    const match = IMAGES.exec(name);
    return match ? [[match[1]!, name]] : [];
  });
  return new Map(found.toSorted(([, a], [, b]) => b.length - a.length));
}

/** Whether a folder with these files is an IDX data set. */
export function isIdx(names: readonly string[]): boolean {
  return stemsOf(names).has('train');
}

/** Reads an IDX folder; the files t10k-… (or test-…) are the test images. */
export async function readIdx(folder: string, names: readonly string[], options: SplitOptions): Promise<SplitDataset> {
  const stems = stemsOf(names);
  const labelsName = (stem: string): string => stems.get(stem)!.replace(/images([-_.])idx3/, 'labels$1idx1');
  const read = async (stem: string): Promise<{ samples: Sample[]; labels: Uint8Array }> => {
    const path = join(folder, stems.get(stem)!);
    return await readPair(path, join(folder, labelsName(stem)));
  };
  const train = await read('train');
  const testStem = ['t10k', 'test'].find((stem) => stems.has(stem));
  const test = testStem ? await read(testStem) : undefined;
  const count = 1 + train.labels.reduce((most, label) => Math.max(most, label), 0);
  if (test) checkLabels(join(folder, labelsName(testStem!)), test.labels, count);
  const classes = Array.from({ length: count }, (_, i) => String(i));
  return withValidation(classes, train.samples, test?.samples, options);
}

async function readPair(images: string, labelFile: string): Promise<{ samples: Sample[]; labels: Uint8Array }> {
  if (images.endsWith('.gz'))
    throw new UserError(`"${images}" is packed.`, `Unpack both files first: gunzip "${images}" "${labelFile}"`);
  const [count, height, width] = (await readSizes(images, 3)) as [number, number, number];
  const [labelCount] = await readSizes(labelFile, 1);
  if (labelCount !== count)
    throw new UserError(`"${images}" has ${count} images, but "${labelFile}" ${labelCount} labels.`, 'Get both anew.');
  const labels = new Uint8Array((await readFile(labelFile)).subarray(8, 8 + count));
  const bytes = width * height;
  const samples = Array.from(
    labels,
    (label, i): Sample => ({
      path: images,
      label,
      part: { name: String(i), offset: 16 + i * bytes, width, height, channels: 1 },
    }),
  );
  return { samples, labels };
}

/** The sizes in the head of an IDX file of bytes; throws a UserError for another file, or one that is cut off. */
async function readSizes(path: string, rank: number): Promise<number[]> {
  const wrong = (why: string): UserError => new UserError(`"${path}" ${why}.`, 'Get the file anew.');
  const head = new DataView(new ArrayBuffer(4 + 4 * rank));
  const file = await open(path).catch((error: Error) => {
    throw wrong(`cannot be read: ${error.message}`);
  });
  try {
    const { bytesRead } = await file.read(head, 0, head.byteLength, 0);
    if (bytesRead < head.byteLength || head.getUint32(0) !== 0x0800 + rank)
      throw wrong(`is no IDX file of ${rank === 3 ? 'images' : 'labels'}`);
  } finally {
    await file.close();
  }
  const sizes = Array.from({ length: rank }, (_, i) => head.getUint32(4 + 4 * i));
  const needed = sizes.reduce((product, size) => product * size, 1) + head.byteLength;
  if ((await stat(path)).size < needed) throw wrong('is cut off');
  return sizes;
}

/** Data sets packed into few files: IDX (MNIST and its family) and CIFAR's binary version. */
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { createLoader } from '../../src/batches/loader-node.ts';
import { imagesOf } from '../../src/cli/image-files.ts';
import { sampleName } from '../../src/data/dataset.ts';
import { decodeSample } from '../../src/data/decode-sample-node.ts';
import { readData } from '../../src/data/readers/data-node.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';
import { imageFolder, makeClasses, messageOf } from './image-files.ts';

const inFolder = imageFolder();
const SPLIT = { valFraction: 0.25, seed: 1 };

beforeAll(() => {
  process.env.XDG_CACHE_HOME = join(inFolder(), 'caches');
});

/** An IDX file of bytes. */
function idx(sizes: readonly number[], data: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * sizes.length));
  head.setUint32(0, 0x0800 + sizes.length);
  sizes.forEach((size, i) => {
    head.setUint32(4 + 4 * i, size);
  });
  return Buffer.concat([new Uint8Array(head.buffer), data]);
}

const pixel = (image: number, i: number): number => (image * 31 + i * 7) % 256;

async function makeIdx(name: string, separator = '-'): Promise<string> {
  const folder = join(inFolder(), name);
  await mkdir(folder, { recursive: true });
  for (const [stem, count] of [['train', 40] as const, ['t10k', 8] as const]) {
    const images = Uint8Array.from({ length: count * 12 }, (_, i) => pixel(Math.floor(i / 12), i % 12));
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 4);
    await writeFile(join(folder, `${stem}-images${separator}idx3-ubyte`), idx([count, 4, 3], images));
    await writeFile(join(folder, `${stem}-labels${separator}idx1-ubyte`), idx([count], labels));
  }
  return folder;
}

async function makeCifar(name: string, fine: boolean): Promise<string> {
  const folder = join(inFolder(), name);
  await mkdir(folder, { recursive: true });
  const record = (image: number): Uint8Array =>
    Uint8Array.from([...(fine ? [9] : []), image % 3, ...Array.from({ length: 3072 }, (_, i) => pixel(image, i))]);
  const records = (first: number, count: number): Uint8Array =>
    Buffer.concat(Array.from({ length: count }, (_, i) => record(first + i)));
  const files: Record<string, Uint8Array | string> = fine
    ? { 'train.bin': records(0, 24), 'test.bin': records(24, 6), 'fine_label_names.txt': 'apple\nbear\ncup\n' }
    : {
        'data_batch_1.bin': records(0, 12),
        'data_batch_2.bin': records(12, 12),
        'test_batch.bin': records(24, 6),
        'batches.meta.txt': 'apple\nbear\ncup\n\n',
      };
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
  return folder;
}

test.each(['-', '.'])('IDX files with %s in their names: classes, splits and pixels', async (separator) => {
  const folder = await makeIdx(`idx${separator}`, separator);
  const { train, val, test: held } = await readData(folder, SPLIT);
  expect(await imagesOf([folder])).toHaveLength(48);
  expect(train.classes).toEqual(['0', '1', '2', '3']);
  expect(train.samples.length + val.samples.length).toBe(40);
  expect(new Set(val.samples.map(({ label }) => label)).size).toBe(4);
  expect(held?.samples.length).toBe(8);
  for (const sample of [...train.samples, ...val.samples]) {
    const image = Number(sample.part!.name);
    expect(sample.label).toBe(image % 4);
    const { width, height, data } = await decodeSample(sample);
    expect([width, height]).toEqual([3, 4]);
    expect([...data]).toEqual(Array.from({ length: 36 }, (_, i) => pixel(image, Math.floor(i / 3))));
  }
});

test.each([false, true])('CIFAR records (fine labels: %s): classes, splits and pixels', async (fine) => {
  const folder = await makeCifar(`cifar-${fine}`, fine);
  const { train, val, test: held } = await readData(folder, SPLIT);
  expect(await imagesOf([folder])).toHaveLength(30);
  expect(train.classes).toEqual(['apple', 'bear', 'cup']);
  expect(train.samples.length + val.samples.length).toBe(24);
  expect(held?.samples.map(({ label }) => label)).toEqual([0, 1, 2, 0, 1, 2]);
  const { width, height, data } = await decodeSample(held!.samples[1]!);
  expect([width, height]).toEqual([32, 32]);
  for (const i of [0, 1, 500, 1023]) for (const c of [0, 1, 2]) expect(data[3 * i + c]).toBe(pixel(25, c * 1024 + i));
  expect(new Set([...train.samples, ...val.samples].map(sampleName)).size).toBe(24);
});

test('the loader serves packed images, and a folder of classes is read as before', async () => {
  const { train } = await readData(await makeIdx('served'), SPLIT);
  const loader = await createLoader({
    dataset: train,
    batchSize: 8,
    size: 32,
    train: false,
    augment: { cropScale: [1, 1], cropRatio: [1, 1], hflip: 0 },
    seed: 0,
    workers: 0,
    preprocessing: { ...DEFAULT_PREPROCESSING, size: 32 },
    cacheDir: join(inFolder(), 'cache'),
  });
  const labels: number[] = [];
  for await (const batch of loader.epoch(0)) labels.push(...batch.labels.slice(0, batch.count));
  expect(labels).toEqual(train.samples.map(({ label }) => label));
  await loader.close();
  const folder = await makeClasses(inFolder(), 'plain', { a: 3, b: 3 });
  expect((await readData(folder, SPLIT)).train.classes).toEqual(['a', 'b']);
});

test('damaged files are refused with what is wrong', async () => {
  const cut = await makeIdx('cut');
  await truncate(join(cut, 'train-images-idx3-ubyte'), 100);
  expect(await messageOf(readData(cut, SPLIT))).toMatch(/train-images-idx3-ubyte" is cut off/);
  const fewer = await makeIdx('fewer');
  await writeFile(join(fewer, 'train-labels-idx1-ubyte'), idx([2], Uint8Array.of(0, 1)));
  expect(await messageOf(readData(fewer, SPLIT))).toMatch(/40 images, but .* 2 labels/);
  const other = await makeIdx('other');
  await writeFile(join(other, 'train-labels-idx1-ubyte'), 'hello, world');
  expect(await messageOf(readData(other, SPLIT))).toMatch(/is no IDX file of labels/);
  const strange = await makeIdx('strange');
  await writeFile(join(strange, 't10k-labels-idx1-ubyte'), idx([8], new Uint8Array(8).fill(200)));
  expect(await messageOf(readData(strange, SPLIT))).toMatch(/a label 200, but there are 4 classes/);
  const same = await makeIdx('same');
  await writeFile(join(same, 'train-labels-idx1-ubyte'), idx([40], new Uint8Array(40)));
  await writeFile(join(same, 't10k-labels-idx1-ubyte'), idx([8], new Uint8Array(8)));
  expect(await messageOf(readData(same, SPLIT))).toMatch(/has images of 1 class; a classifier needs at least two/);
  const gap = await makeIdx('gap');
  const labels = Uint8Array.from({ length: 40 }, (_, i) => 1 + (i % 4));
  await writeFile(join(gap, 'train-labels-idx1-ubyte'), idx([40], labels));
  expect((await readData(gap, SPLIT)).warnings).toEqual(['There are no training images of the class "0".']);
  const half = await makeCifar('half', false);
  await truncate(join(half, 'data_batch_2.bin'), 5000);
  expect(await messageOf(readData(half, SPLIT))).toMatch(/data_batch_2\.bin" does not hold whole records of 3073/);
});

/** EMNIST's names: 30 images on their side, labels from `first` on. */
async function makeEmnist(folder: string, set: string, first: number, mapping?: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [stem, count] of [['train', 24] as const, ['test', 6] as const]) {
    const images = Uint8Array.from({ length: count * 12 }, (_, i) => pixel(Math.floor(i / 12), i % 12));
    const labels = Uint8Array.from({ length: count }, (_, i) => first + (i % 3));
    const at = (kind: string): string => join(folder, `emnist-${set}-${stem}-${kind}-ubyte.gz`);
    await writeFile(at('images-idx3'), gzipSync(idx([count, 4, 3], images)));
    await writeFile(at('labels-idx1'), gzipSync(idx([count], labels)));
  }
  if (mapping !== undefined) await writeFile(join(folder, `emnist-${set}-mapping.txt`), mapping);
}

test('EMNIST: packed, on its side, letters from 1 on, named by its mapping', async () => {
  const folder = join(inFolder(), 'emnist');
  await makeEmnist(folder, 'letters', 1, '1 65 97\n2 66 98\n3 67 99\n');
  const { train, val, test: held } = await readData(folder, SPLIT);
  expect(train.classes).toEqual(['A', 'B', 'C']);
  expect(train.samples.length + val.samples.length).toBe(24);
  expect(held!.samples.map(({ label }) => label)).toEqual([0, 1, 2, 0, 1, 2]);
  expect(sampleName(held!.samples[2]!)).toBe(join(folder, 'emnist-letters-test-images-idx3-ubyte.gz:2'));
  const { width, height, data } = await decodeSample(held!.samples[1]!);
  expect([width, height]).toEqual([3, 4]);
  // Row y, column x lies at x · height + y.
  for (let y = 0; y < 4; y++) for (let x = 0; x < 3; x++) expect(data[3 * (3 * y + x)]).toBe(pixel(1, 4 * x + y));

  await makeEmnist(folder, 'digits', 0, '0 48\n1 49\n2 50\n');
  expect(await messageOf(readData(folder, SPLIT))).toMatch(
    /several data sets: emnist-digits-train, emnist-letters-train.*Name the training images of one/,
  );
  const digits = await readData(join(folder, 'emnist-digits-train-images-idx3-ubyte.gz'), SPLIT);
  expect(digits.train.classes).toEqual(['0', '1', '2']);
  expect(digits.test!.samples.length).toBe(6);
  await makeEmnist(join(inFolder(), 'unmapped'), 'letters', 1);
  const unmapped = await readData(join(inFolder(), 'unmapped'), SPLIT);
  expect(unmapped.train.classes.slice(0, 3)).toEqual(['A', 'B', 'C']);
  expect(unmapped.warnings.length).toBe(23);
  await makeEmnist(join(inFolder(), 'short'), 'letters', 1, '1 65 97\n2 66 98\n');
  expect(await messageOf(readData(join(inFolder(), 'short'), SPLIT))).toMatch(
    /label 3, but there are 2 classes \(1 … 2\)/,
  );
});

test('packed files are unpacked once, and refused when they are not what their head says', async () => {
  const plain = await makeIdx('to-pack');
  const folder = join(inFolder(), 'packed');
  await mkdir(folder);
  const names = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'];
  for (const name of names) await writeFile(join(folder, `${name}.gz`), gzipSync(await readFile(join(plain, name))));
  const [packed, unpacked] = [await readData(folder, SPLIT), await readData(plain, SPLIT)];
  expect(packed.train.samples.map(({ label, part }) => [label, part])).toEqual(
    unpacked.train.samples.map(({ label, part }) => [label, part]),
  );
  const { path } = packed.train.samples[0]!;
  expect((await readData(folder, SPLIT)).train.samples[0]!.path).toBe(path);
  const images = join(folder, 'train-images-idx3-ubyte.gz');
  const head = idx([40, 4, 3], new Uint8Array(0));
  const wrong: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(0), /cannot be unpacked: it is damaged or cut off/],
    [gzipSync(await readFile(join(plain, names[0]!))).subarray(0, 60), /cannot be unpacked: it is damaged or cut off/],
    [gzipSync('hello, hello, hello'), /is no IDX file of images/],
    [gzipSync(head), /is damaged or cut off/],
    [gzipSync(Buffer.concat([head, new Uint8Array(2 ** 24)])), /is longer than its head says/],
    [gzipSync(idx([2 ** 31, 28, 28], new Uint8Array(100))), /is damaged or cut off/],
  ];
  for (const [bytes, message] of wrong) {
    await writeFile(images, bytes);
    expect(await messageOf(readData(folder, SPLIT))).toMatch(message);
  }
  const left = await readdir(join(inFolder(), 'caches', 'mobileone', 'unpacked'));
  expect(left.filter((name) => !name.endsWith('.bin'))).toEqual([]);
});

/** Real files, good and bad: decoding, folders, and the loader over its threads. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCache, readAs } from '../../src/batches/cache-node.ts';
import { openImageReader } from '../../src/batches/image-reader-node.ts';
import { createLoader, type LoaderOptions } from '../../src/batches/loader-node.ts';
import { UserError } from '../../src/core/errors.ts';
import { readFolder } from '../../src/data/readers/folder-node.ts';
import { decodeImage, evalImage } from '../../src/images/decode-node.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mobileone-images-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const flat = (r: number, g: number, b: number, width = 24, height = 16) =>
  sharp({ create: { width, height, channels: 3, background: { r, g, b } } });

/** A colorful JPEG that differs by its number. */
async function photo(path: string, number: number, width = 40, height = 30): Promise<void> {
  const data = Buffer.from(
    Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (number + 3) + (i >> 5) * 17) % 256),
  );
  await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toFile(path);
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('it was accepted'),
    (cause: Error) => cause,
  );
  expect(error).toBeInstanceOf(UserError);
  return `${error.message} ${(error as UserError).hint}`;
}

/** A PNG whose header claims a size, with next to no data. */
function hugePng(side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const pixel = (image: { data: Uint8Array }): number[] => [...image.data.subarray(0, 3)];

test('gray, CMYK, alpha, 16-bit and EXIF rotation become 8-bit RGB', async () => {
  const path = (name: string): string => join(folder, name);
  await flat(120, 120, 120).toColourspace('b-w').png().toFile(path('gray.png'));
  expect(pixel(await decodeImage(path('gray.png')))).toEqual([120, 120, 120]);
  await flat(200, 60, 40).toColourspace('cmyk').jpeg({ quality: 100 }).toFile(path('cmyk.jpg'));
  const half = { width: 8, height: 8, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } } as const;
  await sharp({ create: half }).toColourspace('rgb16').png().toFile(path('deep-alpha.png'));
  expect(pixel(await decodeImage(path('deep-alpha.png')))[0]).toBeCloseTo(127.5, -1);
  await sharp([await flat(1, 200, 1).png().toBuffer(), await flat(200, 1, 1).png().toBuffer()], {
    join: { animated: true },
  })
    .gif()
    .toFile(path('moving.gif'));
  const moving = await decodeImage(path('moving.gif'));
  expect([moving.width, moving.height, pixel(moving)[1]! > 150]).toEqual([24, 16, true]);
  const [r, g, b] = pixel(await decodeImage(path('cmyk.jpg')));
  expect(r! > 150 && g! < 110 && b! < 110).toBe(true);
  await sharp({ create: { width: 8, height: 8, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } } })
    .png()
    .toFile(path('alpha.png'));
  expect(pixel(await decodeImage(path('alpha.png')))).toEqual([255, 255, 255]);
  await flat(10, 128, 250).toColourspace('rgb16').png().toFile(path('deep.png'));
  expect((await sharp(path('deep.png')).metadata()).depth).toBe('ushort');
  const deep = pixel(await decodeImage(path('deep.png')));
  expect(Math.max(...deep.map((v, i) => Math.abs(v - [10, 128, 250][i]!)))).toBeLessThanOrEqual(1);
  await flat(0, 0, 0, 24, 16).withMetadata({ orientation: 6 }).jpeg().toFile(path('turned.jpg'));
  const turned = await decodeImage(path('turned.jpg'));
  expect([turned.width, turned.height]).toEqual([16, 24]);
});

test('evaluation gives size × size pixels of the center', async () => {
  await flat(9, 99, 199, 300, 200).png().toFile(join(folder, 'wide.png'));
  const image = await evalImage(join(folder, 'wide.png'), { size: 64, cropPct: 0.875 });
  expect(image.length).toBe(64 * 64 * 3);
  expect([...image.subarray(0, 3)]).toEqual([9, 99, 199]);
});

test('bad images are refused with what they are and what to do', async () => {
  const path = (name: string): string => join(folder, name);
  await writeFile(path('notes.jpg'), 'these are my notes');
  expect(await messageOf(decodeImage(path('notes.jpg')))).toMatch(/notes\.jpg" is not an image: it is text.*remove it/);
  await writeFile(path('page.png'), '<!DOCTYPE html><p>not found');
  expect(await messageOf(decodeImage(path('page.png')))).toMatch(/is not an image: it is an HTML page/);
  await writeFile(path('drawing.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>');
  expect(await messageOf(decodeImage(path('drawing.svg')))).toMatch(/is not an image: it is an XML or SVG file/);
  await writeFile(path('empty.jpg'), '');
  expect(await messageOf(decodeImage(path('empty.jpg')))).toMatch(/is an empty file/);
  await photo(path('cut.jpg'), 1, 400, 300);
  await truncate(path('cut.jpg'), 6000);
  expect(await messageOf(decodeImage(path('cut.jpg')))).toMatch(
    /cut\.jpg" is a JPEG that is damaged or cut off.*Replace/,
  );
  await writeFile(path('huge.png'), hugePng(30_000));
  expect(await messageOf(decodeImage(path('huge.png')))).toMatch(
    /30000 × 30000 pixels, more than the limit of 100 million/,
  );
  expect(await messageOf(decodeImage(path('nowhere.jpg')))).toMatch(/nowhere\.jpg" does not exist/);
});

/** Makes DIR/CLASS/*.jpg with a number of photos a class. */
async function makeClasses(name: string, counts: Readonly<Record<string, number>>): Promise<string> {
  const root = join(folder, name);
  let number = 0;
  for (const [className, count] of Object.entries(counts)) {
    await mkdir(join(root, className), { recursive: true });
    for (let i = 0; i < count; i++) await photo(join(root, className, `${i}.jpg`), number++);
  }
  return root;
}

const SPLIT = { valFraction: 0.25, seed: 0 };

test('folders: a stable split, given splits, nested folders, links that loop', async () => {
  const root = await makeClasses('plain', { cat: 6, dog: 5, 'dog/puppies': 2 });
  await symlink(join(root, 'cat'), join(root, 'cat', 'again'));
  await writeFile(join(root, 'cat', '.hidden'), 'x');
  const { train, val, warnings } = await readFolder(root, SPLIT);
  expect(train.classes).toEqual(['cat', 'dog']);
  expect(train.samples.length + val.samples.length).toBe(13);
  expect(val.samples.length).toBeGreaterThanOrEqual(2);
  expect(warnings).toEqual([]);
  await makeClasses('given/train', { a: 2, b: 2, c10: 1, c9: 1 });
  await makeClasses('given/valid', { a: 1, b: 1, c9: 1, c10: 2 });
  await makeClasses('given/test', { a: 1, b: 1, c9: 1, c10: 1 });
  const given = await readFolder(join(folder, 'given'), SPLIT);
  expect(given.train.classes).toEqual(['a', 'b', 'c9', 'c10']);
  expect([given.train.samples.length, given.val.samples.length, given.test?.samples.length]).toEqual([6, 5, 4]);
  expect(given.warnings).toEqual([]);
  const vehicles = await readFolder(await makeClasses('vehicles', { bus: 2, train: 2 }), SPLIT);
  expect(vehicles.train.classes).toEqual(['bus', 'train']);
});

test('folders: what is wrong and what to do', async () => {
  await makeClasses('pets', { cat: 2, dog: 2, bird: 0 });
  expect((await readFolder(join(folder, 'pets'), SPLIT)).warnings).toEqual([
    expect.stringMatching(/bird" is empty; the class is left out/),
  ]);
  expect(await messageOf(readFolder(join(folder, 'pest'), SPLIT))).toMatch(
    /There is no folder ".*pest".*Did you mean ".*pets"/,
  );
  expect(await messageOf(readFolder(join(folder, 'pets', 'cat', '0.jpg'), SPLIT))).toMatch(/is a file, not a folder/);
  expect(await messageOf(readFolder(await makeClasses('one', { cat: 3 }), SPLIT))).toMatch(/one class only \("cat"\)/);
  await mkdir(join(folder, 'nothing'));
  expect(await messageOf(readFolder(join(folder, 'nothing'), SPLIT))).toMatch(/There are no images in/);
  expect(await messageOf(readFolder(join(folder, 'pets', 'cat'), SPLIT))).toMatch(
    /holds 2 images, but no folder a class.*DIR\/cat\/1\.jpg/,
  );
  await makeClasses('odd/train', { cat: 2, dog: 2 });
  await makeClasses('odd/val', { cat: 1, dogs: 1 });
  expect(await messageOf(readFolder(join(folder, 'odd'), SPLIT))).toMatch(
    /classes that ".*train" lacks: dogs\. .*has no images of classes in ".*train": dog\..*meant to be "dog"/,
  );
  await makeClasses('less/train', { cat: 2, dog: 2 });
  await makeClasses('less/val', { cat: 1, dog: 0 });
  expect(await messageOf(readFolder(join(folder, 'less'), SPLIT))).toMatch(/less\/val" has no images of .*: dog\./);
  const renamed = await makeClasses('renamed', { 'training/a': 1, 'training/b': 1, 'testing/a': 1, 'testing/b': 1 });
  expect(await messageOf(readFolder(renamed, SPLIT))).toMatch(
    /holds "testing", "training", but no folder "train".*Name the folders/,
  );
  const notes = await makeClasses('notes', { cat: 2, dog: 2, readme: 0 });
  await writeFile(join(notes, 'readme', 'notes.txt'), 'about these pictures');
  expect((await readFolder(notes, SPLIT)).warnings).toEqual([expect.stringMatching(/readme" holds no images/)]);
});

async function loaderOptions(name: string, over: Partial<LoaderOptions> = {}): Promise<LoaderOptions> {
  const root = join(folder, name);
  const { train } = await readFolder(root, { valFraction: 0.01, seed: 0 });
  return {
    dataset: train,
    batchSize: 4,
    size: 16,
    train: true,
    augment: {
      cropScale: [0.3, 1],
      cropRatio: [0.75, 1.33],
      hflip: 0.5,
      colorJitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05 },
    },
    seed: 3,
    workers: 0,
    preprocessing: { ...DEFAULT_PREPROCESSING, size: 16 },
    cacheDir: join(folder, 'cache'),
    ...over,
  };
}

async function drain(
  options: LoaderOptions,
  epoch: number,
  fromStep = 0,
): Promise<{ images: number[]; labels: number[]; count: number }[]> {
  const loader = await createLoader(options);
  const batches = [];
  for await (const { images, labels, count } of loader.epoch(epoch, fromStep))
    batches.push({ images: [...images.data], labels: [...labels], count });
  await loader.close();
  return batches;
}

const built = existsSync(new URL('../../dist/loader-worker.js', import.meta.url));

test('any number of threads gives the same batches, from any step on', async () => {
  await makeClasses('many', { a: 9, b: 8, c: 6 });
  const inProcess = await drain(await loaderOptions('many'), 2);
  expect(inProcess.length).toBe(5);
  expect(await drain(await loaderOptions('many'), 3)).not.toEqual(inProcess);
  expect(await drain(await loaderOptions('many'), 2, 2)).toEqual(inProcess.slice(2));
  if (!built) return console.log('without dist/loader-worker.js the loader is tested in process only: npm run build');
  expect(await drain(await loaderOptions('many', { workers: 1 }), 2)).toEqual(inProcess);
  expect(await drain(await loaderOptions('many', { workers: 3 }), 2, 2)).toEqual(inProcess.slice(2));
});

test('evaluation keeps the order and pads the last batch; broken images are left out and told', async () => {
  const root = await makeClasses('mixed', { a: 4, b: 4 });
  await writeFile(join(root, 'a', 'broken.jpg'), 'no picture');
  const told: string[] = [];
  const options = await loaderOptions('mixed', { train: false, onSkip: ({ reason }) => told.push(reason) });
  const batches = await drain(options, 0);
  const readable = options.dataset.samples.filter(({ path }) => !path.includes('broken'));
  const labels = batches.flatMap((batch) => batch.labels.slice(0, batch.count));
  expect(labels).toEqual(readable.map(({ label }) => label));
  expect(batches.every((batch) => batch.labels.length === 4)).toBe(true);
  expect(told).toEqual([expect.stringMatching(/broken\.jpg" is not an image/)]);
  expect(await messageOf(createLoader({ ...options, strict: true }))).toMatch(/broken\.jpg.*--strict/);
});

test('a changed file makes a new cache; a cache that cannot be written is done without', async () => {
  const root = await makeClasses('cached', { a: 2, b: 2 });
  const paths = (await readdir(join(root, 'a'))).map((name) => join(root, 'a', name));
  const geometry = { shortSide: 20 };
  const cache = join(folder, 'cache-2');
  const first = await openCache({ paths, geometry, folder: cache, parallel: 2 });
  expect((await openCache({ paths, geometry, folder: cache, parallel: 2 })).file).toBe(first.file);
  await writeFile(paths[0]!, await readFile(paths[1]!));
  expect((await openCache({ paths, geometry, folder: cache, parallel: 2 })).file).not.toBe(first.file);
  await writeFile(join(folder, 'in-the-way'), '');
  const warnings: string[] = [];
  const without = await openCache({
    paths,
    geometry,
    folder: join(folder, 'in-the-way', 'x'),
    parallel: 2,
    onWarning: (w) => warnings.push(w),
  });
  expect(without.file).toBeUndefined();
  expect(warnings).toEqual([expect.stringMatching(/cannot be kept.*decoded again each epoch/)]);
  const plain = await drain(await loaderOptions('cached', { batchSize: 2 }), 0);
  expect(
    await drain(await loaderOptions('cached', { batchSize: 2, cacheDir: join(folder, 'in-the-way', 'x') }), 0),
  ).toEqual(plain);
});

test('two runs that build the same cache at once do not mix their pixels', async () => {
  const root = await makeClasses('shared', { a: 6 });
  const paths = (await readdir(join(root, 'a'))).map((name) => join(root, 'a', name));
  const geometry = { size: 12, cropPct: 1 };
  const open = (parallel: number) => openCache({ paths, geometry, folder: join(folder, 'cache-3'), parallel });
  const expected = await Promise.all(paths.map((path) => readAs(path, geometry)));
  for (const index of [...(await Promise.all([open(1), open(3)])), await open(2)]) {
    const reader = openImageReader(index, paths, geometry);
    for (const [i, image] of expected.entries()) expect(await reader.read(i)).toEqual(image);
    reader.close();
  }
  expect((await readdir(join(folder, 'cache-3'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('a thread that stops, a cache that is cut off and a closed loader end the batches with an error', async () => {
  await makeClasses('ended', { a: 5, b: 5 });
  const start = async (workers: number, cacheDir: string) => {
    const loader = await createLoader(await loaderOptions('ended', { workers, cacheDir: join(folder, cacheDir) }));
    const pixels = (await readdir(join(folder, cacheDir))).find((name) => name.endsWith('.bin'));
    return { loader, batches: loader.epoch(0)[Symbol.asyncIterator](), pixels: join(folder, cacheDir, pixels!) };
  };
  const cut = await start(0, 'cache-4');
  await truncate(cut.pixels, 10);
  expect(await messageOf(cut.batches.next())).toMatch(/was cut off\. Remove the file/);
  await cut.loader.close();
  if (!built) return;
  const closed = await start(1, 'cache-5');
  const waiting = messageOf(closed.batches.next());
  await closed.loader.close();
  expect(await waiting).toMatch(/was closed while a batch was awaited/);
  const gone = await start(1, 'cache-6');
  await rm(gone.pixels);
  expect(await messageOf(gone.batches.next())).toMatch(/A loader thread stopped: .*no such file.*--workers 0/);
  await gone.loader.close();
});

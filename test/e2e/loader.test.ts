/** The loader over its threads and its cache of decoded images, with real files. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCache, readAs } from '../../src/batches/cache-node.ts';
import { openImageReader } from '../../src/batches/image-reader-node.ts';
import { createLoader, type LoaderOptions } from '../../src/batches/loader-node.ts';
import { readFolder } from '../../src/data/readers/folder-node.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';
import { imageFolder, makeClasses, messageOf } from './image-files.ts';

const inFolder = imageFolder();

async function loaderOptions(name: string, over: Partial<LoaderOptions> = {}): Promise<LoaderOptions> {
  const root = join(inFolder(), name);
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
      auto: { policy: 'randaugment', ops: 3, magnitude: 20 },
      affine: { degrees: 10, translate: 0.1, scale: [0.9, 1.1] },
      colorJitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05 },
      erase: { probability: 0.7, mode: 'pixel', count: 2, mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.2] },
    },
    mix: { mixup: 0.8, cutmix: 1, prob: 0.9, switchProb: 0.5 },
    phaseOf: (epoch) => ({ size: epoch < 1 ? 12 : 16, strength: epoch / 4 }),
    seed: 3,
    workers: 0,
    preprocessing: { ...DEFAULT_PREPROCESSING, size: 16 },
    cacheDir: join(inFolder(), 'cache'),
    ...over,
  };
}

async function drain(
  options: LoaderOptions,
  epoch: number,
  fromStep = 0,
): Promise<{ images: number[]; labels: number[]; count: number; mix: unknown }[]> {
  const loader = await createLoader(options);
  const batches = [];
  for await (const { images, labels, count, mix } of loader.epoch(epoch, fromStep))
    batches.push({ images: [...images.data], labels: [...labels], count, mix });
  await loader.close();
  return batches;
}

const built = existsSync(new URL('../../dist/loader-worker.js', import.meta.url));

test('any number of threads gives the same batches, from any step on', async () => {
  await makeClasses(inFolder(), 'many', { a: 9, b: 8, c: 6 });
  const inProcess = await drain(await loaderOptions('many'), 2);
  expect(inProcess.length).toBe(5);
  expect(inProcess.some(({ mix }) => mix !== undefined)).toBe(true);
  expect(await drain(await loaderOptions('many'), 3)).not.toEqual(inProcess);
  expect(await drain(await loaderOptions('many'), 2, 2)).toEqual(inProcess.slice(2));
  const small = await drain(await loaderOptions('many'), 0);
  expect(small.map(({ images }) => images.length)).toEqual(Array(5).fill(4 * 12 * 12 * 3));
  if (!built) return console.log('without dist/loader-worker.js the loader is tested in process only: npm run build');
  expect(await drain(await loaderOptions('many', { workers: 1 }), 2)).toEqual(inProcess);
  expect(await drain(await loaderOptions('many', { workers: 3 }), 0)).toEqual(small);
  expect(await drain(await loaderOptions('many', { workers: 3 }), 2, 2)).toEqual(inProcess.slice(2));
});

test('evaluation keeps the order and pads the last batch; broken images are left out and told', async () => {
  const root = await makeClasses(inFolder(), 'mixed', { a: 4, b: 4 });
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
  const root = await makeClasses(inFolder(), 'cached', { a: 2, b: 2 });
  const paths = (await readdir(join(root, 'a'))).map((name) => join(root, 'a', name));
  const geometry = { shortSide: 20, channels: 3 };
  const cache = join(inFolder(), 'cache-2');
  const samples = paths.map((path) => ({ path }));
  const first = await openCache({ samples, geometry, folder: cache, parallel: 2 });
  expect((await openCache({ samples, geometry, folder: cache, parallel: 2 })).file).toBe(first.file);
  await writeFile(paths[0]!, await readFile(paths[1]!));
  expect((await openCache({ samples, geometry, folder: cache, parallel: 2 })).file).not.toBe(first.file);
  await writeFile(join(inFolder(), 'in-the-way'), '');
  const warnings: string[] = [];
  const without = await openCache({
    samples,
    geometry,
    folder: join(inFolder(), 'in-the-way', 'x'),
    parallel: 2,
    onWarning: (w) => warnings.push(w),
  });
  expect(without.file).toBeUndefined();
  expect(warnings).toEqual([expect.stringMatching(/cannot be kept.*decoded again each epoch/)]);
  const plain = await drain(await loaderOptions('cached', { batchSize: 2 }), 0);
  expect(
    await drain(await loaderOptions('cached', { batchSize: 2, cacheDir: join(inFolder(), 'in-the-way', 'x') }), 0),
  ).toEqual(plain);
});

test('two runs that build the same cache at once do not mix their pixels', async () => {
  const root = await makeClasses(inFolder(), 'shared', { a: 6 });
  const paths = (await readdir(join(root, 'a'))).map((name) => join(root, 'a', name));
  const samples = paths.map((path) => ({ path }));
  const geometry = { size: 12, cropPct: 1, channels: 3 };
  const open = (parallel: number) => openCache({ samples, geometry, folder: join(inFolder(), 'cache-3'), parallel });
  const expected = await Promise.all(samples.map((sample) => readAs(sample, geometry)));
  for (const index of [...(await Promise.all([open(1), open(3)])), await open(2)]) {
    const reader = openImageReader(index, samples, geometry);
    for (const [i, image] of expected.entries()) expect(await reader.read(i)).toEqual(image);
    reader.close();
  }
  expect((await readdir(join(inFolder(), 'cache-3'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('a thread that stops, a cache that is cut off and a closed loader end the batches with an error', async () => {
  await makeClasses(inFolder(), 'ended', { a: 5, b: 5 });
  const start = async (workers: number, cacheDir: string) => {
    const loader = await createLoader(await loaderOptions('ended', { workers, cacheDir: join(inFolder(), cacheDir) }));
    const pixels = (await readdir(join(inFolder(), cacheDir))).find((name) => name.endsWith('.bin'));
    return { loader, batches: loader.epoch(0)[Symbol.asyncIterator](), pixels: join(inFolder(), cacheDir, pixels!) };
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

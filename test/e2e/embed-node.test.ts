/** `load` of mobileone/node: every kind of model source and of picture, the same answers as `mobileone predict`, and what it refuses. */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel, modelGraph } from '../../src/checkpoint/model-file.ts';
import type { ImageModel, Prediction } from '../../src/embed/model.ts';
import type { ModelSource } from '../../src/embed/source.ts';
import { WEB } from '../../src/export/web/format-node.ts';
import { load, type NodeImage } from '../../src/node.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { built, cli, temporaryFolder } from './cli-process.ts';
import { SIZE, smallModel, write, writeAll, writePictures } from './embedded.ts';
import { type StaticServer, serveFolders } from './static-server.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const trained = await smallModel();
const file = encodeModel(trained);
const exact = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
let server: StaticServer;
let model: ImageModel<NodeImage>;
let pictures: string[];

beforeAll(async () => {
  await write(at('train.safetensors'), file);
  const fused = { ...trained, ...fuse(trained.graph, trained.state), form: 'fused' as const };
  await write(at('run', 'fused.safetensors'), encodeModel(fused));
  await writeAll(at('bundle'), (await WEB.encode(trained)).files);
  pictures = await writePictures(at('pictures'));
  server = await serveFolders({ '/': folder });
  model = await load(at('train.safetensors'));
});
afterAll(async () => {
  await model.dispose();
  server.close();
  remove();
});

const near = (actual: readonly Prediction[], expected: readonly Prediction[]): void => {
  expect(actual.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  actual.forEach(({ probability }, i) => {
    expect(probability).toBeCloseTo(expected[i]!.probability, 5);
  });
};

const SOURCES: Readonly<Record<string, () => ModelSource | Promise<ModelSource>>> = {
  'a path': () => at('train.safetensors'),
  'a file address': () => pathToFileURL(at('train.safetensors')),
  'a file address as text': () => pathToFileURL(at('train.safetensors')).href,
  'the fused form in a run': () => at('run'),
  'a web folder': () => at('bundle', 'web'),
  'a bundle': () => at('bundle'),
  'a model.json': () => at('bundle', 'web', 'model.json'),
  'an address': () => `${server.url}train.safetensors`,
  'the address of a web folder': () => `${server.url}bundle/web/`,
  'the same without its slash': () => `${server.url}bundle/web`,
  'the address of a bundle': () => new URL('bundle/', server.url),
  'the address of a model.json': () => `${server.url}bundle/web/model.json`,
  bytes: () => file,
  'an ArrayBuffer': () => exact(file),
  'a Blob': () => new Blob([exact(file)]),
  'a Response': () => fetch(`${server.url}train.safetensors`),
};

test.each(Object.entries(SOURCES))('a model from %s', async (_, source) => {
  const progress: [number, number | undefined][] = [];
  const onProgress = (loaded: number, total: number | undefined): unknown => progress.push([loaded, total]);
  const loaded = await load(await source(), { threads: 1, onProgress });
  const image = at('pictures', 'plain.png');
  near(await loaded.classify(image), await model.classify(image));
  expect(progress.at(-1)![0]).toBe(progress.at(-1)![1]);
  expect(loaded.runtime).toMatch(/^wasm, .*, 1 thread$/);
  await loaded.dispose();
});

/** The same picture, given in every way. */
const IMAGES: Readonly<Record<string, (path: string, name: string) => NodeImage | Promise<NodeImage>>> = {
  'a path': (path) => path,
  'a file address': (path) => pathToFileURL(path),
  'a file address as text': (path) => pathToFileURL(path).href,
  'an address': (_, name) => `${server.url}pictures/${name}`,
  'a data address': async (path) => `data:image/png;base64,${(await readFile(path)).toString('base64')}`,
  'a Buffer': (path) => readFile(path),
  'an ArrayBuffer': async (path) => exact(await readFile(path)),
  'a Blob': async (path) => new Blob([exact(await readFile(path))]),
  pixels: async (path) => {
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { data, width, height, channels };
  },
};

test.each(Object.entries(IMAGES))('a picture from %s', async (_, give) => {
  for (const name of ['plain.png', 'gray.png', 'alpha.png']) {
    const path = at('pictures', name);
    expect(await model.logits(await give(path, name))).toEqual(await model.logits(path));
  }
});

test.skipIf(!built)('answers are those of mobileone predict, to the bit', async () => {
  const paths = pictures.map((name) => at('pictures', name));
  const { out } = await cli(folder, 'predict', 'train.safetensors', ...paths, '--json', '--top', '3');
  const told = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { predictions: { class: string; probability: number }[] });
  const answers = await model.classify(paths, { topK: 3 });
  expect(answers.map((one) => one.map(({ label, probability }) => ({ class: label, probability })))).toEqual(
    told.map(({ predictions }) => predictions),
  );
});

test('embeddings times the classifier are the logits', async () => {
  const image = at('pictures', 'photo.jpg');
  const [embedding, logits] = [await model.embed(image), await model.logits(image)];
  expect(embedding.length).toBe(model.embeddingSize);
  const [weight, bias] = ['weight', 'bias'].map((name) => trained.state.get(`head.fc.${name}`)!.data);
  logits.forEach((logit, c) => {
    const dot = embedding.reduce((sum, value, i) => sum + value * weight![c * embedding.length + i]!, bias![c]!);
    expect(dot).toBeCloseTo(logit, 4);
  });
});

test('a picture is nearer to itself in another size than to others', async () => {
  const names = ['plain.png', 'photo.jpg', 'picture.webp'];
  const cosine = (a: Float32Array, b: Float32Array): number => {
    const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const whole = await model.embed(names.map((name) => at('pictures', name)));
  const smaller = await model.embed(
    await Promise.all(names.map((name) => sharp(at('pictures', name)).resize(90).png().toBuffer())),
  );
  smaller.forEach((one, i) => {
    const similar = whole.map((other) => cosine(one, other));
    expect(similar.indexOf(Math.max(...similar))).toBe(i);
  });
});

test('several at once answer as one by one, and calls may overlap', async () => {
  const paths = pictures.map((name) => at('pictures', name));
  const together = await model.classify(paths);
  expect(await Promise.all(paths.map((path) => model.classify(path)))).toEqual(together);
  expect(await model.classify([])).toEqual([]);
});

test('topK and threshold; of a model for several labels those above one half', async () => {
  const image = at('pictures', 'plain.png');
  const all = await model.classify(image, { topK: 100 });
  expect(all.map(({ index }) => model.classes[index])).toEqual(all.map(({ label }) => label));
  expect(all.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
  expect(all).toEqual(all.toSorted((a, b) => b.probability - a.probability));
  expect(await model.classify(image)).toEqual(all.slice(0, 5));
  expect(await model.classify(image, { topK: 2 })).toEqual(all.slice(0, 2));
  const second = all[1]!.probability;
  expect(await model.classify(image, { threshold: second })).toEqual(all.slice(0, 2));

  const several = await load(encodeModel(await smallModel({ multiLabel: true })));
  const each = await several.classify(image, { threshold: 0 });
  expect(each.map(({ probability }) => probability)).toEqual(
    [...(await several.logits(image))].map((x) => 1 / (1 + Math.exp(-x))).sort((a, b) => b - a),
  );
  expect(await several.classify(image)).toEqual(each.filter(({ probability }) => probability >= 0.5));
  expect(several.description.multiLabel).toBe(true);
  await several.dispose();
});

test('gray and RGBA models read any picture; a cropped one is taken as it is', async () => {
  for (const channels of [1, 4] as const) {
    const other = await load(encodeModel(await smallModel({ channels })));
    for (const name of pictures) expect(await other.logits(at('pictures', name))).toHaveLength(7);
    await other.dispose();
  }
  const data = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => i % 251);
  const square = { width: SIZE, height: SIZE, channels: 3, data };
  const cropped = await model.logits(square, { cropped: true });
  expect(cropped).not.toEqual(await model.logits(square));
  await expect(model.logits(at('pictures', 'plain.png'), { cropped: true })).rejects.toThrow('131 × 97');
});

test('what it tells of itself', () => {
  const { classes, inputSize, embeddingSize, description } = model;
  expect({ classes, inputSize, embeddingSize }).toEqual({
    classes: trained.classes,
    inputSize: SIZE,
    embeddingSize: 64,
  });
  const fusedShapes = Object.values(modelGraph(trained.config, 'fused').params).map(({ shape }) => shape);
  const parameters = fusedShapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  expect(description).toMatchObject({ name: 'MobileOne', parameters, multiLabel: false, channels: 3 });
  expect(description).toMatchObject({ metrics: { valTop1: 91.25 }, info: { license: 'CC0' } });
});

describe('refusals say what happened and what to do', () => {
  const html = new TextEncoder().encode('<!doctype html><title>no such page</title>');
  mkdirSync(at('empty'), { recursive: true });
  const MODELS: Readonly<Record<string, [() => ModelSource | Promise<ModelSource>, RegExp, RegExp]>> = {
    'no file': [() => at('none.safetensors'), /can't be read: there is no such file/, /path/],
    'an empty folder': [() => at('empty'), /has neither a model.json/, /export --to web/],
    'no such address': [() => `${server.url}none.safetensors`, /answered 404/, /deployed/],
    'the address of an empty folder': [() => `${server.url}empty/`, /has no model.json/, /export --to web/],
    'a server that is not there': [() => 'http://127.0.0.1:9/m.safetensors', /could not be fetched/, /Access-Control/],
    'an HTML page': [() => html, /is an HTML page/, /address they don’t know/],
    'a picture': [() => at('pictures', 'plain.png'), /is not a model file: it is/, /\.safetensors/],
    'a pointer of Git LFS': [
      () => new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\n'),
      /Git LFS/,
      /git lfs pull/,
    ],
    'a file that is cut off': [() => file.slice(0, -9), /not a readable safetensors file/, /cut off/],
    'a bad model.json': [
      () => write(at('bad', 'model.json'), '{"layout": 1}').then(() => at('bad')),
      /names no model/,
      /model file/,
    ],
    'an answer that failed': [() => fetch(`${server.url}nothing`), /status 404/, /address/],
  };
  test.each(Object.entries(MODELS))('%s', async (_, [source, message, hint]) => {
    const loading = load(await source(), { threads: 1 });
    await expect(loading).rejects.toMatchObject({ name: 'UserError', message: expect.stringMatching(message) });
    await expect(loading).rejects.toMatchObject({ hint: expect.stringMatching(hint) });
  });

  const BAD: Readonly<Record<string, [() => NodeImage, RegExp]>> = {
    'no such picture': [() => at('none.jpg'), /does not exist/],
    'no such address': [() => `${server.url}none.jpg`, /answered 404/],
    'text for a picture': [() => Buffer.from('hello'), /is not an image: it is text/],
    'too few bytes': [() => ({ width: 4, height: 4, channels: 3, data: new Uint8Array(5) }), /has 5 bytes/],
    'no pixels': [() => ({ width: 0, height: 4, channels: 3, data: new Uint8Array(0) }), /0 × 4/],
    'something else': [() => ({}) as NodeImage, /This is no image/],
  };
  test.each(Object.entries(BAD))('%s', async (_, [image, message]) => {
    await expect(model.classify(image())).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(message),
    });
  });

  test('a broken picture among several is told once', async () => {
    const good = at('pictures', 'plain.png');
    await expect(model.classify([good, at('none.jpg'), good])).rejects.toThrow('does not exist');
  });

  test('giving up', async () => {
    const controller = new AbortController();
    controller.abort(new Error('changed my mind'));
    for (const source of [`${server.url}train.safetensors`, at('train.safetensors'), file])
      await expect(load(source, { signal: controller.signal })).rejects.toThrow('changed my mind');
  });

  test('a fetch of one’s own', async () => {
    const asked: string[] = [];
    const own: typeof fetch = async (url) => {
      asked.push(String(url));
      return new Response(exact(file));
    };
    const loaded = await load('https://example.com/m.safetensors', { fetch: own, threads: 1 });
    expect(asked).toEqual(['https://example.com/m.safetensors']);
    await loaded.dispose();
    await expect(loaded.classify(at('pictures', 'plain.png'))).rejects.toThrow('disposed');
  });
});

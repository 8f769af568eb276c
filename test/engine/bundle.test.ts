/** The export bundle on a small model: complete, checked, and nothing written when the check fails. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { measure } from '../../src/bench/measure.ts';
import { shortProtocol } from '../../src/bench/protocol.ts';
import { modelSubjects } from '../../src/bench/subjects-node.ts';
import { decodeOnnx } from '../../src/engine/onnx/encode.ts';
import { openOnnx } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { type BundledFile, writeBundle } from '../../src/export/bundle-node.ts';
import { FORMATS, formatNamed, formatsNamed, readersOf } from '../../src/export/formats-node.ts';
import type { Golden } from '../../src/export/golden.ts';
import { sha256 } from '../../src/export/onnx/write.ts';
import type { PreprocessingDescription } from '../../src/export/preprocessing.ts';
import { ONNX_READERS } from '../../src/export/readers/onnx.ts';
import { fruit as model, photos } from './cases/fruit.ts';

const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const engine = createReferenceEngine();

test('a bundle holds the model, its labels, its proof, readers and golden images that the file reproduces', async () => {
  const to = join(folder, 'plain');
  const images = [{ images: photos([4, 32, 32, 3]), count: 3 }];
  const details = { title: 'Fruit', recipe: { lr: 0.1 }, command: 'mobileone train fruit', license: 'CC0' };
  const data = { name: 'fruit.zip', images: 12 };
  const { files, card } = await writeBundle(to, model, { engine, images, golden: 2, details: { ...details, data } });
  expect((await readdir(to)).sort()).toEqual([
    ...['README.md', 'SHA256SUMS', 'card.json', 'golden', 'golden.json', 'labels.txt', 'model.onnx'],
    ...['preprocessing.json', 'proof.json', 'readers'],
  ]);
  expect(await readdir(join(to, 'readers'))).toEqual(ONNX_READERS.map(({ file }) => file).sort());
  const [file] = files as [BundledFile];
  expect(file).toMatchObject({ format: 'onnx', proof: { images: 3, passed: true, top1Agreement: 100 } });
  expect(file).not.toHaveProperty('proof.generated');
  const text = (name: string): Promise<string> => readFile(join(to, name), 'utf8');
  expect(await text('labels.txt')).toBe('apple\npear\nplum\n');
  const page = await text('README.md');
  for (const part of [
    ...[
      '# Fruit',
      'uint8 RGB [N, 32, 32, 3]',
      '| top1 | 91.25 |',
      'short side to 36 px',
      'CC0',
      'mobileone train fruit',
    ],
    ...['"lr": 0.1', '3 real images', 'fruit.zip, 12 training images, 3 classes', '`readers/onnx.mjs`'],
  ]) {
    expect(page).toContain(part);
  }
  const bytes = new Uint8Array(await readFile(file.path));
  expect(page).toContain(await sha256(bytes));
  expect(file.sha256).toEqual({ 'model.onnx': await sha256(bytes) });
  expect(JSON.parse(await text('card.json'))).toEqual(JSON.parse(JSON.stringify(card)));
  const { metadata } = await decodeOnnx(bytes);
  expect(JSON.parse(metadata['mobileone.labels']!)).toEqual(model.classes);
  expect(metadata).toMatchObject({
    'mobileone.form': 'fused',
    'mobileone.weights_sha256': card.weights_sha256,
  });

  const golden = JSON.parse(await text('golden.json')) as Golden;
  expect(golden.images).toHaveLength(2);
  expect(golden.source).toBe('real');
  const session = await openOnnx(file.path);
  for (const { file, logits, label } of golden.images) {
    const pixels = await sharp(join(to, file)).removeAlpha().raw().toBuffer();
    const result = await session.run({ image: { shape: [1, 32, 32, 3], data: new Uint8Array(pixels) } });
    for (const [i, value] of logits.entries()) expect(result.logits!.data[i]).toBeCloseTo(value, 4);
    expect(model.classes).toContain(label);
  }
  await session.dispose();
});

test.each(FORMATS)(
  '$name: files, proof and readers of their own; without images on generated ones, and it says so',
  async (format) => {
    const to = join(folder, `only-${format.name}`);
    const bundle = await writeBundle(to, model, { engine, formats: [format], details: { title: 'Fruit' } });
    const [file] = bundle.files as [BundledFile];
    expect(file).toMatchObject({ format: format.name, precision: format.precisions[0] });
    if (format.open) expect(file).toMatchObject({ proof: { images: 64, generated: true, passed: true } });
    else expect(file).toHaveProperty('unchecked');
    expect(bundle.card.golden).toEqual({ images: 10, source: 'generated' });
    expect(await readFile(join(to, 'README.md'), 'utf8')).toContain('64 generated images');
    for (const { file, text } of readersOf(format.name)) {
      const preprocessing = JSON.parse(
        await readFile(join(to, 'preprocessing.json'), 'utf8'),
      ) as PreprocessingDescription;
      const written = await readFile(join(to, 'readers', file), 'utf8');
      expect(written).toBe(text({ main: bundle.card.exports[0]!.main, preprocessing }));
    }
  },
);

test('several formats share a folder, and all answer alike', async () => {
  const to = join(folder, 'several');
  const { files, card, weights } = await writeBundle(to, model, { engine, formats: FORMATS });
  expect(files.map(({ format }) => format)).toEqual(FORMATS.map(({ name }) => name));
  expect(card.exports.flatMap((one) => one.files)).toEqual(files.flatMap(({ sha256 }) => Object.keys(sha256)));
  expect(card.weights_sha256).toBe(weights);
  for (const { bytes, path } of files) {
    expect(bytes).toBeGreaterThan(1000);
    expect(existsSync(path)).toBe(true);
  }
  const names = FORMATS.flatMap(({ name }) => readersOf(name).map(({ file }) => file));
  expect(new Set(names).size).toBe(names.length);
});

test('formats are found by name, with the nearest for a misspelled one', () => {
  expect(formatsNamed('safetensors, onnx,onnx').map(({ name }) => name)).toEqual(['safetensors', 'onnx']);
  expect(() => formatNamed('onx')).toThrow(
    expect.objectContaining({ hint: expect.stringMatching('Did you mean onnx?') }),
  );
});

test('options that no format heeds, or that one lacks, are refused; one that some heed is not', async () => {
  const formats = [formatNamed('safetensors')];
  const to = join(folder, 'refused');
  await expect(writeBundle(to, model, { engine, formats, dynamicBatch: false })).rejects.toThrow(
    /--fixed-batch: .* has no input/,
  );
  for (const format of FORMATS.filter(({ precisions }) => !precisions.includes('fp16')))
    await expect(writeBundle(to, model, { engine, formats: [format], precision: 'fp16' })).rejects.toThrow(
      /not in fp16/,
    );
  expect(existsSync(to)).toBe(false);
  const both = await writeBundle(to, model, { engine, formats: FORMATS.slice(0, 2), dynamicBatch: false });
  expect(both.files[0]!.input).toContain('[1, 32, 32, 3]');
});

test('the train form is exported as it is, other sizes too', async () => {
  const to = join(folder, 'train');
  const { card, files } = await writeBundle(to, model, {
    engine,
    formats: FORMATS.slice(0, 2),
    form: 'train',
    size: 64,
  });
  expect(card).toMatchObject({ size: 64, architecture: { form: 'train' } });
  expect(files.every((file) => 'proof' in file && file.proof.passed)).toBe(true);
  const { fused } = JSON.parse(await readFile(join(to, 'proof.json'), 'utf8')) as { fused: unknown };
  expect(fused).toBe(null);
});

test('nothing is written when the check fails or there is no image, and an earlier bundle stays', async () => {
  const to = join(folder, 'failed');
  await expect(writeBundle(to, model, { engine, images: [] })).rejects.toThrow(/no images/);
  const strict = writeBundle(to, model, { engine, images: [photos([1, 32, 32, 3])], bound: 0 });
  await expect(strict).rejects.toThrow(/does not compute/);
  expect(existsSync(to)).toBe(false);
  const { files } = await writeBundle(to, model, { engine });
  const before = await readFile(files[0]!.path);
  await expect(writeBundle(to, model, { engine, bound: 0 })).rejects.toThrow(/does not compute/);
  expect(await readFile(files[0]!.path)).toEqual(before);
  expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('a bundle is replaced; a folder that holds anything else is not touched', async () => {
  const to = join(folder, 'again');
  await writeBundle(to, model, { engine, formats: FORMATS.slice(0, 2) });
  await writeFile(join(to, '.DS_Store'), 'left by a file manager');
  await mkdir(join(to, 'node_modules', 'sharp'), { recursive: true });
  await writeFile(join(to, 'node_modules', 'sharp', 'package.json'), '{}');
  await writeBundle(to, model, { engine });
  expect(existsSync(join(to, 'model.safetensors'))).toBe(false);
  await writeFile(join(to, 'notes.txt'), 'mine');
  await expect(writeBundle(to, model, { engine })).rejects.toThrow(/holds a file beside the bundle \(notes.txt\)/);
  const mine = join(folder, 'mine');
  await mkdir(mine);
  await writeBundle(mine, model, { engine });
  await rm(join(mine, 'card.json'));
  await expect(writeBundle(mine, model, { engine })).rejects.toThrow(/holds files and is not a bundle/);
  await writeFile(join(folder, 'a-file'), '');
  await expect(writeBundle(join(folder, 'a-file'), model, { engine })).rejects.toThrow(/is a file/);
  expect(await readFile(join(to, 'notes.txt'), 'utf8')).toBe('mine');
});

test('the subjects of a comparison are both forms on every runtime', async () => {
  const { subjects, notes } = await modelSubjects(model, { engine });
  expect(notes).toEqual([]);
  expect(subjects.map(({ name, runtime }) => `${name}: ${runtime.split(/[ ,]/)[0]}`)).toEqual([
    'train form, branches: reference',
    'fused: reference',
    'train form, branches: onnxruntime-node',
    'fused: onnxruntime-node',
    'train form, branches: onnxruntime-web',
    'fused: onnxruntime-web',
  ]);
  const rows = await measure(subjects, shortProtocol(1, 1, 0));
  expect(rows.every(({ mean, coldStart, firstRun }) => mean > 0 && coldStart > 0 && firstRun > 0)).toBe(true);
});

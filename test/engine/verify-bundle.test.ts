/** `verify` of a bundle: whatever is changed, removed or made up is found, and nothing outside the folder is read. */
import { cp, mkdtemp, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { random } from '../../src/core/random.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { writeBundle } from '../../src/export/bundle-node.ts';
import { factsOf, printSums } from '../../src/export/checksums.ts';
import { FORMATS } from '../../src/export/formats-node.ts';
import { listFiles } from '../../src/export/open-bundle-node.ts';
import { type Verification, verifyBundle } from '../../src/export/verify-bundle-node.ts';
import { fruit, photos } from './cases/fruit.ts';

const root = await mkdtemp(join(tmpdir(), 'verify-'));
afterAll(() => rm(root, { recursive: true, force: true }));
const whole = join(root, 'whole');
const formats = FORMATS.slice(0, 2);
beforeAll(async () => {
  await writeBundle(whole, fruit, {
    engine: createReferenceEngine(),
    formats,
    golden: 2,
    images: [photos([3, 32, 32, 3])],
  });
});

let copies = 0;
async function copy(): Promise<string> {
  const folder = join(root, `copy-${copies++}`);
  await cp(whole, folder, { recursive: true });
  return folder;
}

/** Changes JSON of a bundle. */
async function edit(folder: string, path: string, change: (value: Json) => void): Promise<void> {
  const value = JSON.parse(await readFile(join(folder, path), 'utf8')) as Json;
  change(value);
  await writeFile(join(folder, path), JSON.stringify(value));
}
type Json = { [key: string]: Json } & Json[];

/** Writes new hashes of what is there, as someone would who hides a change. */
async function rehash(folder: string): Promise<void> {
  const read = async (path: string): Promise<[string, Uint8Array]> => [
    path,
    new Uint8Array(await readFile(join(folder, path))),
  ];
  const outside = ['card.json', 'README.md', 'SHA256SUMS'];
  const paths = (await listFiles(folder)).filter((path) => !outside.includes(path));
  const files = await factsOf(await Promise.all(paths.map(read)));
  await edit(folder, 'card.json', (card) => Object.assign(card, { files }));
  const all = await factsOf(await Promise.all([...paths, 'card.json', 'README.md'].map(read)));
  await writeFile(join(folder, 'SHA256SUMS'), printSums(all));
}

const failures = ({ findings }: Verification): string[] =>
  findings.filter(({ verdict }) => verdict === 'failed').map(({ path, check }) => `${path}: ${check}`);

/** Failing by findings, or refused altogether. */
async function outcome(folder: string): Promise<string[]> {
  return await verifyBundle(folder).then(failures, (error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    return [error.message];
  });
}

test('a bundle as it was written passes, and every file of it was looked at', async () => {
  const { passed, findings } = await verifyBundle(whole);
  expect(passed).toBe(true);
  expect(findings.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  const looked = findings.filter(({ check }) => check === 'bytes').map(({ path }) => path);
  expect([...looked, 'SHA256SUMS'].sort()).toEqual(await listFiles(whole));
  const runs = findings.filter(({ check }) => check === 'run');
  expect(runs.map(({ proof }) => proof?.images)).toEqual(formats.map(() => 2));
});

test('a changed bit is found in every file', async () => {
  const rng = random(Date.now());
  for (const path of await listFiles(whole)) {
    const folder = await copy();
    const bytes = await readFile(join(folder, path));
    const at = rng.int(bytes.length);
    bytes[at]! ^= 1 << rng.int(8);
    await writeFile(join(folder, path), bytes);
    const found = await outcome(folder);
    const culprit = path === 'SHA256SUMS' || path === 'card.json' ? '' : path;
    expect(found.join('; '), `bit of byte ${at} of ${path}`).toContain(culprit);
    expect(found).not.toEqual([]);
  }
});

test('a missing file is found, whichever', async () => {
  for (const path of await listFiles(whole)) {
    const folder = await copy();
    await unlink(join(folder, path));
    expect((await outcome(folder)).join(), path).toContain(path);
  }
});

test('a changed file is not opened, and a file that does not belong is told', async () => {
  const folder = await copy();
  await writeFile(join(folder, 'model.onnx'), 'something else');
  await writeFile(join(folder, 'readers', 'more.mjs'), 'mine');
  const found = await verifyBundle(folder);
  expect(failures(found)).toEqual(['model.onnx: bytes']);
  expect(found.findings).toContainEqual({
    ...{
      path: 'model.onnx',
      check: 'run',
      verdict: 'not checked',
      text: expect.stringContaining('is not what was exported'),
    },
  });
  expect(found.findings).toContainEqual(expect.objectContaining({ path: 'readers/more.mjs', verdict: 'not checked' }));
});

test.each<[string, string, (value: Json) => void, RegExp]>([
  ['other logits', 'golden.json', ({ images }) => images![0]!.logits!.reverse(), /golden.json: contents|: run/],
  [
    'shifted logits',
    'golden.json',
    ({ images }) => Object.assign(images![0]!.logits!, { 0: (images![0]!.logits![0] as unknown as number) * 1.01 }),
    /model.onnx: run/,
  ],
  [
    'another answer',
    'golden.json',
    ({ images }) => Object.assign(images![0]!, { label: 'banana' }),
    /golden.json: contents/,
  ],
  [
    'other proofs',
    'proof.json',
    ({ files }) => Object.assign(files!['model.onnx']!.proof!, { images: 1e6 }),
    /proof.json: contents/,
  ],
  ['another size', 'preprocessing.json', (how) => Object.assign(how, { crop: 64 }), /preprocessing.json: contents/],
])('%s with matching hashes are found by their meaning', async (_, path, change, expected) => {
  const folder = await copy();
  await edit(folder, path, change);
  await rehash(folder);
  expect((await outcome(folder)).join('; ')).toMatch(expected);
});

test('another model with matching hashes does not give the golden logits', async () => {
  const folder = await copy();
  const other = join(root, 'other');
  const state = new Map(
    [...fruit.state].map(([name, { shape, data }]) => [name, { shape, data: data.map((v) => 0.9 * v) }]),
  );
  await writeBundle(other, { ...fruit, state }, { engine: createReferenceEngine() });
  await cp(join(other, 'model.onnx'), join(folder, 'model.onnx'));
  await rehash(folder);
  expect(await outcome(folder)).toEqual(['model.onnx: run']);
});

const evil = (path: string) => (card: Json) => {
  card.exports![0]!.files!.push(path as never);
  Object.assign(card.files!, { [path]: { bytes: 1, sha256: '0'.repeat(64) } });
};
test.each<[string, string, (value: Json) => void, RegExp]>([
  ...['../secret', '/etc/passwd', 'a/../../secret', 'C:\\secret', 'golden/', 'a\u0000b'].map(
    (path): [string, string, (value: Json) => void, RegExp] => [
      `the path ${JSON.stringify(path)}`,
      'card.json',
      evil(path),
      /names a file outside itself/,
    ],
  ),
  [
    'a golden image outside',
    'golden.json',
    ({ images }) => Object.assign(images![0]!, { file: '../../etc/passwd' }),
    /outside itself/,
  ],
  [
    'a golden image that is not listed',
    'golden.json',
    ({ images }) => Object.assign(images![0]!, { file: 'golden/99.png' }),
    /not in the card/,
  ],
  [
    'a main file outside',
    'card.json',
    ({ exports }) => Object.assign(exports![0]!, { main: '../model.onnx' }),
    /outside itself/,
  ],
  ['an absurd size', 'card.json', (card) => Object.assign(card, { size: 1e9 }), /sizes are absurd/],
  ['absurdly many classes', 'card.json', (card) => Object.assign(card, { classes: 1e12 }), /sizes are absurd/],
  ['an absurd file', 'card.json', ({ files }) => Object.assign(files!['labels.txt']!, { bytes: 1e15 }), /absurd/],
  ['no formats', 'card.json', (card) => Object.assign(card, { exports: [] }), /no files of a model/],
  ['no bundle', 'card.json', (card) => Object.assign(card, { bundle: 'x' }), /not a card/],
  ['a newer bundle', 'card.json', (card) => Object.assign(card, { bundle: 2 }), /newer version/],
  [
    'logits that are none',
    'golden.json',
    ({ images }) => Object.assign(images![0]!, { logits: ['a'] }),
    /no answer of 3 classes/,
  ],
  ['no resizing', 'preprocessing.json', (how) => Object.assign(how, { resize: null }), /does not say how/],
])('%s is refused, whatever the hashes say', async (_, path, change, message) => {
  const folder = await copy();
  if (path !== 'card.json') {
    await edit(folder, path, change);
    await rehash(folder);
  } else await edit(folder, path, change);
  await expect(verifyBundle(folder)).rejects.toThrow(message);
  await expect(verifyBundle(folder)).rejects.toBeInstanceOf(UserError);
});

test('links are not followed, large files not read', async () => {
  const linked = await copy();
  await rm(join(linked, 'labels.txt'));
  await symlink('/etc/hostname', join(linked, 'labels.txt'));
  await expect(verifyBundle(linked)).rejects.toThrow(/"labels.txt" is no file of its folder/);
  const within = await copy();
  await rm(join(within, 'golden'), { recursive: true });
  await symlink(join(whole, 'golden'), join(within, 'golden'));
  await expect(verifyBundle(within)).rejects.toThrow(/is no file of its folder/);
  await expect(verifyBundle(join(root, 'nowhere'))).rejects.toThrow(/There is no folder/);
  await expect(verifyBundle(root)).rejects.toThrow(/not a bundle/);
});

test('a runtime that is missing, or a format that is unknown, is no failure and is told', async () => {
  const first = formats[0]!;
  const open = vi
    .spyOn(first as Required<typeof first>, 'open')
    .mockRejectedValue(new UserError('No runtime.', 'Install it: npm install x'));
  const { passed, findings } = await verifyBundle(whole);
  open.mockRestore();
  expect(passed).toBe(true);
  expect(findings.find(({ path, check }) => path === 'model.onnx' && check === 'run')).toMatchObject({
    verdict: 'not checked',
    text: 'No runtime. Install it: npm install x',
  });
  const folder = await copy();
  await edit(folder, 'card.json', ({ exports }) => Object.assign(exports![0]!, { format: 'future' }));
  await rehash(folder);
  const unknown = await verifyBundle(folder);
  expect(unknown.passed).toBe(true);
  expect(unknown.findings).toContainEqual(
    expect.objectContaining({ text: expect.stringContaining('does not know the format future') }),
  );
});

test('more images: the files are compared with each other', async () => {
  const images = () => [photos([5, 32, 32, 3])];
  const { findings } = await verifyBundle(whole, { images });
  const more = findings.filter(({ check }) => check === 'more images');
  expect(more.map(({ verdict }) => verdict)).toEqual(['ok', 'ok']);
  expect(more[1]!.proof).toMatchObject({ images: 5, passed: true });
});

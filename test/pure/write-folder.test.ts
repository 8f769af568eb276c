/** Folders are written whole or not at all: refusing disks, leftovers of killed writes, other files beside. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { type FolderSteps, settleFolder, writeFolder } from '../../src/checkpoint/write-folder-node.ts';

const root = await mkdtemp(join(tmpdir(), 'folder-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let place = root;
let count = 0;
beforeEach(async () => {
  place = join(root, String(count++));
  await mkdir(place);
});

const files = (text: string): Map<string, string | Uint8Array> =>
  new Map<string, string | Uint8Array>([
    ['a.txt', text],
    ['deep/er/b.bin', new Uint8Array(3).fill(text.length)],
    ['deep/c.txt', ''],
  ]);

async function expectWhole(folder: string, text: string): Promise<void> {
  expect((await readdir(folder, { recursive: true })).sort()).toEqual([
    'a.txt',
    'deep',
    'deep/c.txt',
    'deep/er',
    'deep/er/b.bin',
  ]);
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe(text);
  expect(new Uint8Array(await readFile(join(folder, 'deep/er/b.bin')))).toEqual(new Uint8Array(3).fill(text.length));
}

/** Steps of which the nth fails as a full disk does. */
function failing(n: number): FolderSteps {
  let steps = 0;
  const step = async <T>(run: () => Promise<T>): Promise<T> => {
    if (steps++ === n) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    return await run();
  };
  return {
    mkdir: (path) => step(() => mkdir(path, { recursive: true })),
    rename: (from, to) => step(() => rename(from, to)),
    open: async (path, flags) => {
      const file = await step(() => open(path, flags));
      return {
        writeFile: (bytes) => step(() => file.writeFile(bytes)),
        sync: () => step(() => file.sync()),
        close: () => file.close(),
      };
    },
  };
}

test('a folder is made, with what is above it, and replaced in one piece', async () => {
  const folder = join(place, 'new', 'bundle');
  await writeFolder(folder, files('one'));
  await expectWhole(folder, 'one');
  await writeFile(join(folder, 'old.txt'), 'of the first');
  await writeFolder(folder, files('second'));
  await expectWhole(folder, 'second');
  expect(await readdir(join(place, 'new'))).toEqual(['bundle']);
});

test('whichever step the disk refuses, the earlier folder stays whole, or nothing is left', async () => {
  const fresh = join(place, 'deep', 'fresh');
  for (let n = 0; ; n++) {
    const refused = await writeFolder(fresh, files('new'), failing(n)).then(
      () => undefined,
      (error: Error) => error,
    );
    if (!refused) break;
    expect(refused.message).toMatch(/could not be written: the disk is full/);
    expect(await readdir(place), `step ${n}`).toEqual([]);
  }
  await expectWhole(fresh, 'new');
  await rm(join(place, 'deep'), { recursive: true });
  const folder = join(place, 'kept');
  await writeFolder(folder, files('earlier'));
  for (let n = 0; ; n++) {
    const done = await writeFolder(folder, files('later'), failing(n)).then(
      () => true,
      () => false,
    );
    await expectWhole(folder, done ? 'later' : 'earlier');
    expect(await readdir(place), `step ${n}`).toEqual(['kept']);
    if (done) break;
  }
});

/** The number of a process that has ended. */
const GONE = 2 ** 22 + 1;

test('what a killed write left is cleared up by the next, or by whoever looks', async () => {
  const folder = join(place, 'bundle');
  await mkdir(join(place, `.bundle.${GONE}-0.tmp`, 'golden'), { recursive: true });
  await writeFolder(folder, files('one'));
  expect(await readdir(place)).toEqual(['bundle']);
  // Killed between the two renames: the earlier folder is put aside, the new one not yet there.
  await rename(folder, join(place, `.bundle.${GONE}-0.old`));
  await mkdir(join(place, `.bundle.${GONE}-0.tmp`));
  await settleFolder(folder);
  await expectWhole(folder, 'one');
  expect(await readdir(place)).toEqual(['bundle']);
  // Killed after them: only the earlier one is left to remove.
  await mkdir(join(place, `.bundle.${GONE}-1.old`));
  await settleFolder(folder);
  expect(await readdir(place)).toEqual(['bundle']);
});

test('what other processes are writing, and what only looks alike, stays', async () => {
  const others = [
    `.bundle.${process.ppid}-0.tmp`,
    `.bundle.more.${GONE}-0.tmp`,
    '.bundle.notes',
    `.other.${GONE}-0.tmp`,
  ];
  for (const name of others) await mkdir(join(place, name));
  await mkdir(join(place, `.bundle.${process.pid}-999.tmp`));
  await writeFolder(join(place, 'bundle'), files('one'));
  expect((await readdir(place)).sort()).toEqual([...others, 'bundle'].sort());
});

test('writes at the same time end with one of them, whole', async () => {
  const folder = join(place, 'bundle');
  const texts = ['a', 'bb', 'ccc', 'dddd'];
  const ends = await Promise.allSettled(texts.map((text) => writeFolder(folder, files(text))));
  expect(ends.some(({ status }) => status === 'fulfilled')).toBe(true);
  await expectWhole(folder, await readFile(join(folder, 'a.txt'), 'utf8'));
  expect(await readdir(place)).toEqual(['bundle']);
});

test('a link keeps its place: what it points to is replaced', async () => {
  await mkdir(join(place, 'real'));
  await symlink(join(place, 'real'), join(place, 'link'));
  await writeFolder(join(place, 'link'), files('one'));
  await expectWhole(join(place, 'real'), 'one');
  expect(existsSync(join(place, 'link'))).toBe(true);
});

test.skipIf(process.platform !== 'linux')('where nothing can be made it says so, and comes to an end', async () => {
  await expect(writeFolder('/proc/bundle/inside', files('one'))).rejects.toThrow(/could not be written/);
  await writeFile(join(place, 'file'), '');
  await expect(writeFolder(join(place, 'file', 'bundle'), files('one'))).rejects.toThrow(/a file in its place/);
});

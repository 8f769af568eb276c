/** Real files, good and bad: decoding and folders. */
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { readFolder } from '../../src/data/readers/folder-node.ts';
import { decodeImage, evalImage } from '../../src/images/decode-node.ts';
import { imageFolder, makeClasses, messageOf, photo } from './image-files.ts';

const inFolder = imageFolder();

const flat = (r: number, g: number, b: number, width = 24, height = 16) =>
  sharp({ create: { width, height, channels: 3, background: { r, g, b } } });

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
  const path = (name: string): string => join(inFolder(), name);
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
  await flat(9, 99, 199, 300, 200).png().toFile(join(inFolder(), 'wide.png'));
  const image = await evalImage(join(inFolder(), 'wide.png'), { size: 64, cropPct: 0.875 });
  expect(image.length).toBe(64 * 64 * 3);
  expect([...image.subarray(0, 3)]).toEqual([9, 99, 199]);
});

test('bad images are refused with what they are and what to do', async () => {
  const path = (name: string): string => join(inFolder(), name);
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

const SPLIT = { valFraction: 0.25, seed: 0 };

test('folders: a stable split, given splits, nested folders, links that loop', async () => {
  const root = await makeClasses(inFolder(), 'plain', { cat: 6, dog: 5, 'dog/puppies': 2 });
  await symlink(join(root, 'cat'), join(root, 'cat', 'again'));
  await writeFile(join(root, 'cat', '.hidden'), 'x');
  const { train, val, warnings } = await readFolder(root, SPLIT);
  expect(train.classes).toEqual(['cat', 'dog']);
  expect(train.samples.length + val.samples.length).toBe(13);
  expect(val.samples.length).toBeGreaterThanOrEqual(2);
  expect(warnings).toEqual([]);
  await makeClasses(inFolder(), 'given/train', { a: 2, b: 2, c10: 1, c9: 1 });
  await makeClasses(inFolder(), 'given/valid', { a: 1, b: 1, c9: 1, c10: 2 });
  await makeClasses(inFolder(), 'given/test', { a: 1, b: 1, c9: 1, c10: 1 });
  const given = await readFolder(join(inFolder(), 'given'), SPLIT);
  expect(given.train.classes).toEqual(['a', 'b', 'c9', 'c10']);
  expect([given.train.samples.length, given.val.samples.length, given.test?.samples.length]).toEqual([6, 5, 4]);
  expect(given.warnings).toEqual([]);
  const vehicles = await readFolder(await makeClasses(inFolder(), 'vehicles', { bus: 2, train: 2 }), SPLIT);
  expect(vehicles.train.classes).toEqual(['bus', 'train']);
});

test('folders: what is wrong and what to do', async () => {
  await makeClasses(inFolder(), 'pets', { cat: 2, dog: 2, bird: 0 });
  expect((await readFolder(join(inFolder(), 'pets'), SPLIT)).warnings).toEqual([
    expect.stringMatching(/bird" is empty; the class is left out/),
  ]);
  expect(await messageOf(readFolder(join(inFolder(), 'pest'), SPLIT))).toMatch(
    /There is no folder ".*pest".*Did you mean ".*pets"/,
  );
  expect(await messageOf(readFolder(join(inFolder(), 'pets', 'cat', '0.jpg'), SPLIT))).toMatch(
    /is a file, not a folder/,
  );
  expect(await messageOf(readFolder(await makeClasses(inFolder(), 'one', { cat: 3 }), SPLIT))).toMatch(
    /one class only \("cat"\)/,
  );
  await mkdir(join(inFolder(), 'nothing'));
  expect(await messageOf(readFolder(join(inFolder(), 'nothing'), SPLIT))).toMatch(/There are no images in/);
  expect(await messageOf(readFolder(join(inFolder(), 'pets', 'cat'), SPLIT))).toMatch(
    /holds 2 images, but no folder a class.*DIR\/cat\/1\.jpg/,
  );
  await makeClasses(inFolder(), 'odd/train', { cat: 2, dog: 2 });
  await makeClasses(inFolder(), 'odd/val', { cat: 1, dogs: 1 });
  expect(await messageOf(readFolder(join(inFolder(), 'odd'), SPLIT))).toMatch(
    /classes that ".*train" lacks: dogs\. .*has no images of classes in ".*train": dog\..*meant to be "dog"/,
  );
  await makeClasses(inFolder(), 'less/train', { cat: 2, dog: 2 });
  await makeClasses(inFolder(), 'less/val', { cat: 1, dog: 0 });
  expect(await messageOf(readFolder(join(inFolder(), 'less'), SPLIT))).toMatch(/less\/val" has no images of .*: dog\./);
  const renamed = await makeClasses(inFolder(), 'renamed', {
    'training/a': 1,
    'training/b': 1,
    'testing/a': 1,
    'testing/b': 1,
  });
  expect(await messageOf(readFolder(renamed, SPLIT))).toMatch(
    /holds "testing", "training", but no folder "train".*Name the folders/,
  );
  const notes = await makeClasses(inFolder(), 'notes', { cat: 2, dog: 2, readme: 0 });
  await writeFile(join(notes, 'readme', 'notes.txt'), 'about these pictures');
  expect((await readFolder(notes, SPLIT)).warnings).toEqual([expect.stringMatching(/readme" holds no images/)]);
});

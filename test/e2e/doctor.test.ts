/** `mobileone data doctor` on pictures with planted faults, and `train --exclude` with what it writes. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../src/core/random.ts';
import { built, cli, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, 'data', ...names);
afterAll(remove);

const WIDTH = 320;
const HEIGHT = 240;

/** A scene of colored shapes on a gradient; another number makes another scene. */
function scene(number: number): Buffer {
  const rng = random(77, number);
  const color = (): string => `hsl(${rng.int(360)},${10 + rng.int(45)}%,${25 + rng.int(50)}%)`;
  const shapes = Array.from({ length: 9 }, () => {
    const [x, y, r] = [rng.int(WIDTH), rng.int(HEIGHT), 12 + rng.int(60)];
    return rng.int(2)
      ? `<circle cx="${x}" cy="${y}" r="${r}" fill="${color()}"/>`
      : `<rect x="${x}" y="${y}" width="${2 * r}" height="${r}" fill="${color()}" transform="rotate(${rng.int(90)} ${x} ${y})"/>`;
  });
  const stops = `<stop offset="0" stop-color="${color()}"/><stop offset="1" stop-color="${color()}"/>`;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><linearGradient id="g">${stops}</linearGradient><rect width="100%" height="100%" fill="url(#g)"/>${shapes.join('')}</svg>`,
  );
}

/** What makes a near duplicate of a picture. */
const CHANGES: Readonly<Record<string, (image: Sharp) => Sharp>> = {
  resized: (image) => image.resize(WIDTH / 2, HEIGHT / 2),
  stretched: (image) => image.resize(WIDTH, WIDTH, { fit: 'fill' }),
  encoded: (image) => image.jpeg({ quality: 35 }),
  brighter: (image) => image.linear(1.15),
  darker: (image) => image.linear(0.8),
  gray: (image) => image.grayscale(),
  middle: (image) => image.extract({ left: 8, top: 6, width: WIDTH - 16, height: HEIGHT - 12 }),
  corner: (image) => image.extract({ left: 16, top: 12, width: WIDTH - 16, height: HEIGHT - 12 }),
};

/** Groups of paths that the doctor must find. */
const planted: string[][] = [];
const CLASSES = ['bus', 'cat', 'dog'];

async function write(number: number, path: string, change: (image: Sharp) => Sharp = (i) => i): Promise<void> {
  mkdirSync(dirname(at(path)), { recursive: true });
  const photo = sharp(await sharp(scene(number)).jpeg({ quality: 92 }).toBuffer());
  const changed = change(photo);
  await (path.endsWith('.png') ? changed.png() : changed.jpeg({ quality: path.includes('encoded') ? 35 : 90 })).toFile(
    at(path),
  );
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(at(to)), { recursive: true });
  copyFileSync(at(from), at(to));
}

beforeAll(async () => {
  let number = 0;
  for (const name of CLASSES) {
    for (let i = 0; i < 30; i++) await write(number++, `train/${name}/${i}.jpg`);
    for (let i = 0; i < 6; i++) await write(number++, `val/${name}/${i}.jpg`);
    for (let i = 0; i < 4; i++) await write(number++, `test/${name}/${i}.jpg`);
  }
  // Near duplicates: each change within train, and from train to test.
  for (const [i, [name, change]] of Object.entries(CHANGES).entries()) {
    for (const [c, to] of ['train/bus', 'test/bus'].entries()) {
      const source = 10 * c + i;
      const path = `${to}/${name}.jpg`;
      await write(source, path, change);
      planted.push([`train/bus/${source}.jpg`, path]);
    }
  }
  // Exact ones: a copied file, equal pixels in another file format, a leak, another label.
  copy('train/cat/1.jpg', 'train/cat/copy.jpg');
  await sharp(at('train/cat/2.jpg')).png().toFile(at('train/cat/pixels.png'));
  await sharp(at('train/cat/pixels.png')).png({ compressionLevel: 1 }).toFile(at('train/cat/pixels-again.png'));
  copy('train/cat/3.jpg', 'val/cat/leak.jpg');
  copy('train/cat/4.jpg', 'train/dog/other.jpg');
  planted.push(
    ['train/cat/1.jpg', 'train/cat/copy.jpg'],
    ['train/cat/2.jpg', 'train/cat/pixels-again.png', 'train/cat/pixels.png'],
    ['train/cat/3.jpg', 'val/cat/leak.jpg'],
    ['train/cat/4.jpg', 'train/dog/other.jpg'],
  );
  // Broken ones.
  writeFileSync(at('train/dog/page.jpg'), '<!doctype html><title>404</title>');
  writeFileSync(at('train/dog/nothing.png'), '');
  copy('train/dog/0.jpg', 'train/dog/cut.jpg');
  truncateSync(at('train/dog/cut.jpg'), readFileSync(at('train/dog/cut.jpg')).length >> 1);
  await sharp(scene(500)).png().toFile(at('train/dog/really-a-png.jpg'));
  for (const shade of [90, 180])
    await sharp({ create: { width: 200, height: 200, channels: 3, background: { r: shade, g: shade, b: shade } } })
      .png()
      .toFile(at(`train/dog/empty-${shade}.png`));
}, 60_000);

interface Answer {
  readonly problems: number;
  readonly broken: { path: string; reason: string }[];
  readonly misnamed: { path: string; format: string }[];
  readonly groups: { exact: boolean; leak: boolean; conflict: boolean; images: { path: string }[] }[];
  readonly empty: string[];
  readonly few: string[];
  readonly fixes: { path: string; reason: string; action: string; of: string }[];
}

describe.skipIf(!built)('mobileone data doctor (needs dist: npx tsdown)', () => {
  it('finds what was planted and nothing else', async () => {
    const { code, out } = await cli(
      folder,
      'data',
      'doctor',
      'data',
      '--json',
      '--fix',
      'fix.csv',
      '--report',
      'data.html',
    );
    expect(code).toBe(1);
    const found = JSON.parse(out) as Answer;
    const key = (paths: readonly string[]): string => paths.toSorted().join(' ');
    const groups = found.groups.map(({ images }) => key(images.map(({ path }) => path)));
    const wanted = planted.map(key);
    expect(
      groups.filter((group) => !wanted.includes(group)),
      'precision',
    ).toEqual([]);
    expect(
      wanted.filter((group) => !groups.includes(group)),
      'recall',
    ).toEqual([]);
    const groupOf = (path: string): Answer['groups'][number] =>
      found.groups.find(({ images }) => images.some((image) => image.path === path))!;
    expect(groupOf('train/cat/copy.jpg')).toMatchObject({ exact: true, leak: false, conflict: false });
    expect(groupOf('val/cat/leak.jpg')).toMatchObject({ exact: true, leak: true, conflict: false });
    expect(groupOf('train/dog/other.jpg')).toMatchObject({ exact: true, leak: false, conflict: true });
    expect(groupOf('test/bus/corner.jpg')).toMatchObject({ exact: false, leak: true, conflict: false });
    expect(found.groups[0]!.conflict).toBe(true);
    expect(found.broken.map(({ path }) => path).toSorted()).toEqual([
      'train/dog/cut.jpg',
      'train/dog/nothing.png',
      'train/dog/page.jpg',
    ]);
    expect(found.broken.find(({ path }) => path.endsWith('page.jpg'))!.reason).toContain('an HTML page');
    expect(found.misnamed).toEqual([{ path: 'train/dog/really-a-png.jpg', format: 'PNG' }]);
    expect(found.empty).toEqual(['train/dog/empty-90.png', 'train/dog/empty-180.png']);

    const drops = found.fixes.filter(({ action }) => action === 'drop').map(({ path }) => path);
    const leaks = Array.from({ length: Object.keys(CHANGES).length }, (_, i) => `train/bus/${10 + i}.jpg`);
    expect(drops.toSorted()).toEqual(
      [
        ...found.broken.map(({ path }) => path),
        ...leaks,
        ...['train/cat/3.jpg', 'train/cat/4.jpg', 'train/dog/other.jpg', 'train/cat/copy.jpg'],
        ...['train/cat/pixels.png', 'train/cat/pixels-again.png'],
      ].toSorted(),
    );
    const html = readFileSync(join(folder, 'data.html'), 'utf8');
    for (const text of ['One picture, several labels', 'Leaks between splits', 'train/dog/cut.jpg', '<svg role="img"'])
      expect(html).toContain(text);
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    for (const path of drops) expect(existsSync(at(path)), path).toBe(true);
  }, 60_000);

  it('leaves out what the list names, also when the run goes on', async () => {
    const args = ['train', 'data', ...TINY, '--epochs', '1', '--exclude', 'fix.csv'];
    const { code, out } = await cli(folder, ...args, '--out', 'run');
    expect(code).toBe(0);
    expect(out).toMatch(/17 images are left out/);
    expect(out).not.toContain('skipped:');
    const resumed = await cli(folder, 'train', '--resume', 'run');
    expect(resumed.err + resumed.out).not.toContain('are not the ones the run began with');
    writeFileSync(join(folder, 'none.txt'), 'train/cat/no-such.jpg\n');
    const none = await cli(folder, ...args.slice(0, -1), 'none.txt', '--out', 'other');
    expect(none.err).toMatch(/Nothing that .*none\.txt names is in data/);
    // A list of the same images, as data: names are relative to its folder.
    const rows = ['1', '2', '3', 'copy'].map((name) => `train/cat/${name}.jpg,cat`);
    const dogs = ['1', '2', '3', '5'].map((name) => `train/dog/${name}.jpg,dog`);
    writeFileSync(at('list.csv'), ['image,label', ...rows, ...dogs, ''].join('\n'));
    const listed = await cli(folder, 'data', 'doctor', 'data/list.csv', '--fix', 'list-fix.csv', '--json');
    expect(listed.code).toBe(1);
    const drops = (JSON.parse(listed.out) as Answer).fixes.filter(({ action }) => action === 'drop');
    expect(drops.map(({ path, of }) => [path, of].toSorted())).toEqual([['train/cat/1.jpg', 'train/cat/copy.jpg']]);
    const evaluated = JSON.parse((await cli(folder, 'eval', 'run', '--json')).out) as { images: number };
    expect(evaluated.images).toBe(6 * CLASSES.length + 1);
  }, 60_000);
});

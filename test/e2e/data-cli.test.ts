/** The command line on data that is no folder of classes. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zip } from './archives.ts';
import { built, COLORS, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

describe.skipIf(!built)('mobileone (built) on lists and archives', () => {
  const names = Object.keys(COLORS).flatMap((color) => Array.from({ length: 10 }, (_, i) => `${color}/${i}.png`));
  beforeAll(async () => {
    await makeImages(at('photos'), 10);
    const rows = names.map((name) => `photos/${name},${name.split('/')[0]}`);
    writeFileSync(at('list.csv'), ['path,label', ...rows].join('\n'));
    writeFileSync(at('held.txt'), ['blue/0.png', 'green/1.png', 'red/2.png', 'red/3.png'].join('\n'));
    writeFileSync(at('photos.zip'), zip(names.map((name) => [name, readFileSync(at('photos', name))])));
  });
  afterAll(remove);

  it('trains on a list with validation images named apart, goes on with them, and evaluates a zip', async () => {
    const train = ['train', 'list.csv', '--val', 'held.txt', ...TINY, '--epochs', '1', '--out', 'run'];
    writeFileSync(at('held.txt'), readFileSync(at('held.txt'), 'utf8').replaceAll(/^/gm, 'photos/'));
    expect(await cli(folder, ...train)).toMatchObject({ code: 0 });
    const own = JSON.parse((await cli(folder, 'eval', 'run', '--json')).out);
    expect([own.images, own.data]).toEqual([4, expect.stringContaining('val images of')]);
    const resumed = await cli(folder, 'train', '--resume', 'run');
    expect(resumed.code).toBe(0);
    expect(resumed.out + resumed.err).not.toContain('not the ones');
    const other = JSON.parse((await cli(folder, 'eval', 'run', 'photos.zip', '--json')).out);
    expect([other.images, other.data]).toEqual([30, 'all images of photos.zip']);
    expect(other.mistakes.every(({ path }: { path: string }) => /^photos\.zip:/.test(path))).toBe(true);
  });

  it('trains on a zip; its run is named after it', async () => {
    const { code } = await cli(folder, 'train', 'photos.zip', ...TINY, '--epochs', '1', '--variant', 's0');
    expect(code).toBe(0);
    expect(readdirSync(at('runs'))).toEqual(['photos-s0-1']);
  });

  it('refuses a list with the line that is wrong', async () => {
    writeFileSync(at('bad.csv'), 'path,label\nphotos/red/0.png,red\nphotos/red/0.png,blue\n');
    const { code, err } = await cli(folder, 'train', 'bad.csv');
    expect(code).toBe(1);
    expect(err).toMatch(/bad\.csv", line 3: "photos\/red\/0\.png" is "blue", but on line 2 "red"/);
    expect(err).not.toMatch(/\n\s+at /);
  });
});

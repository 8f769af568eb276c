/** One tiny set of images in every format: the same classes, labels, splits and pixels, whatever holds it. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { imagesOf } from '../../src/cli/image-files.ts';
import { type Dataset, type Sample, type SplitDataset, sampleName } from '../../src/data/dataset.ts';
import { decodeSample } from '../../src/data/decode-sample-node.ts';
import { readSplitData } from '../../src/data/held-out-node.ts';
import { readData } from '../../src/data/readers/data-node.ts';
import { type Files, parquet, tar, zip } from './archives.ts';
import { messageOf } from './image-files.ts';
import {
  at,
  CLASSES,
  COUNTS,
  className,
  inFolder,
  ofSplit,
  type Picture,
  pictures,
  quoted,
  SPLIT,
  type Split,
  text,
  wds,
  write,
} from './pictures.ts';

const inSplits = (): Files => pictures.map(({ split, name, bytes }) => [`${split}/${name}`, bytes]);
/** Every way to keep the set with its splits; each gives what is read. */
const FORMATS: Readonly<Record<string, () => Promise<string>>> = {
  folder: () => write('folder', inSplits()),
  zip: async () => join(await write('zip', [['all.zip', zip(inSplits())]]), 'all.zip'),
  'zip64 of stored files inside a folder': async () => {
    const files = inSplits().map(([name, bytes]) => [`photos/${name}`, bytes] as const);
    const bytes = zip([...files, ['__MACOSX/photos/._x', text('?')]], {
      stored: true,
      wide: true,
      comment: 'PK\x05\x06?',
    });
    return join(await write('zip64', [['all.zip', bytes]]), 'all.zip');
  },
  'csv with splits': async () => {
    const rows = pictures.map((one) => `${one.split},${quoted(className(one))},${quoted(`${one.split}/${one.name}`)}`);
    const csv = text(`\ufeffsplit,Label,image_path\r\n${rows.join('\r\n')}\r\n\r\n`);
    return join(await write('csv', [...inSplits(), ['list.csv', csv]]), 'list.csv');
  },
  'csv a split, with semicolons': () =>
    write('csvs', [
      ...inSplits().map(([name, bytes]) => [`images/${name}`, bytes] as const),
      ...(Object.keys(COUNTS) as Split[]).map((split): [string, Uint8Array] => [
        `${split}.csv`,
        text(
          `class;path\n${ofSplit(split)
            .map(
              (one) =>
                `${quoted(className(one))};images\\${split}\\${quoted(one.name).slice(1, -1).replaceAll('""', '"')}`,
            )
            .join('\n')}`,
        ),
      ]),
    ]),
  tsv: async () => {
    const rows = pictures.map((one) =>
      [`./${one.split}/${one.name}`, className(one), one.split].map(quoted).join('\t'),
    );
    return join(
      await write('tsv', [...inSplits(), ['a.tsv', text(['file\ttarget\tsplit', ...rows].join('\n'))]]),
      'a.tsv',
    );
  },
  jsonl: () =>
    write('jsonl', [
      ...inSplits().map(([name, bytes]) => [`images/${name}`, bytes] as const),
      ...(Object.keys(COUNTS) as Split[]).map((split): [string, Uint8Array] => [
        `${split === 'val' ? 'validation' : split}.jsonl`,
        text(
          ofSplit(split)
            .map((one) => JSON.stringify({ file_name: `images/${split}/${one.name}`, label: className(one) }))
            .join('\n'),
        ),
      ]),
    ]),
  'tar of names': () =>
    write(
      'tars',
      (Object.keys(COUNTS) as Split[]).map((split) => [
        `birds-${split}-000000.tar`,
        tar(ofSplit(split).flatMap((one) => wds(one, ['cls', className(one)]))),
      ]),
    ),
  'tar of numbers, in folders, with long names': () =>
    write('wds', [
      ['classes.txt', text(`${CLASSES.join('\n')}\n`)],
      ...(['train', 'val', 'test'] as const).map((split, i): [string, Uint8Array] => [
        `${split}/00.tar`,
        tar(
          ofSplit(split).flatMap((one) => wds(one, ['json', JSON.stringify({ label: one.label })])),
          (['gnu', 'pax', 'ustar'] as const)[i],
        ),
      ]),
    ]),
  parquet: () =>
    write(
      'parquet',
      (['train', 'validation', 'test'] as const).map((name) => [
        `data/${name}-00000-of-00001.parquet`,
        parquet(
          ofSplit(name === 'validation' ? 'val' : name).map((one) => ({ image: one.bytes, label: one.label })),
          CLASSES,
        ),
      ]),
    ),
  'parquet of names': () =>
    write(
      'parquet-names',
      (Object.keys(COUNTS) as Split[]).map((split) => [
        `${split}/0000.parquet`,
        parquet(
          ofSplit(split).map((one) => ({ image: one.bytes, label: className(one) })),
          undefined,
          'UNCOMPRESSED',
        ),
      ]),
    ),
};

/** Class and pixels of every image of a part, in an order of its own. */
async function contents({ classes, samples }: Dataset): Promise<string[]> {
  const lines = samples.map(async (sample) => {
    const { width, height, data } = await decodeSample(sample);
    return `${classes[sample.label]} ${width}x${height} ${createHash('sha256').update(data).digest('hex')}`;
  });
  return (await Promise.all(lines)).sort();
}

let reference: Record<Split, string[]>;
const all = async ({ train, val, test: held }: SplitDataset): Promise<Record<Split, string[]>> => ({
  train: await contents(train),
  val: await contents(val),
  test: await contents(held!),
});

describe('the same set', () => {
  beforeAll(async () => {
    reference = await all(await readData(await FORMATS.folder!(), SPLIT));
    expect(new Set(Object.values(reference).flat()).size).toBe(pictures.length);
  });
  test.each(Object.keys(FORMATS))('as %s', async (format) => {
    const path = await FORMATS[format]!();
    const data = await readData(path, SPLIT);
    // Commands that need no labels find every image of it.
    expect((await imagesOf([path])).map(sampleName)).toHaveLength(pictures.length);
    expect(data.train.classes).toEqual(CLASSES);
    expect(data.warnings).toEqual([]);
    expect(data.ownVal).toBe(true);
    expect(await all(data)).toEqual(reference);
    const names = [...data.train.samples, ...data.val.samples, ...data.test!.samples].map(sampleName);
    expect(new Set(names).size).toBe(pictures.length);
    for (const name of names) expect(name.startsWith(inFolder()) && !name.includes('unpacked')).toBe(true);
  });

  test('is split off the same way as a folder, a zip, a list and a tar', async () => {
    const own = pictures.filter(({ split }) => split === 'train');
    const files = own.map(({ name, bytes }) => [name, bytes] as const);
    const list = ['path,label', ...own.map((one) => `${quoted(one.name)},${quoted(className(one))}`)].join('\n');
    await write('unsplit', [...files, ['list.csv', text(list)]]);
    await write('packs', [
      ['a.zip', zip(files)],
      ['a.tar', tar(own.flatMap((one) => wds(one, ['cls', className(one)])))],
    ]);
    const [folder, ...others] = await Promise.all(
      [at('unsplit'), at('unsplit', 'list.csv'), at('packs', 'a.zip'), at('packs', 'a.tar')].map((path) =>
        readData(path, SPLIT),
      ),
    );
    expect(folder!.ownVal).toBeUndefined();
    expect(folder!.val.samples.length).toBeGreaterThanOrEqual(4);
    for (const other of others) {
      expect(await contents(other.train)).toEqual(await contents(folder!.train));
      expect(await contents(other.val)).toEqual(await contents(folder!.val));
    }
  });
});

test('several classes an image: lists, tar and parquet', async () => {
  const sets = [['ant', 'bee'], [], ['cat'], ['bee'], ['cat', 'ant'], ['bee']];
  const files = sets.map((_, i) => [`${i}.jpg`, pictures[i]!.bytes] as const);
  const classes = ['ant', 'bee', 'cat'];
  const numbers = sets.map((names) => names.map((name) => classes.indexOf(name)));
  const splitOf = (i: number): Split => (i === 5 ? 'val' : 'train');
  const csv = sets.map((names, i) => `${i}.jpg,${names.join(i % 2 ? '|' : '; ')},${splitOf(i)}`);
  const json = sets.map((labels, i) => JSON.stringify({ path: `${i}.jpg`, labels, split: splitOf(i) }));
  const shard = (split: Split, content: (i: number) => object): Uint8Array =>
    tar(
      sets.flatMap((_, i) =>
        splitOf(i) === split ? wds({ ...pictures[i]!, name: `${i}.jpg` }, ['json', JSON.stringify(content(i))]) : [],
      ),
    );
  const table = (split: Split): Uint8Array =>
    parquet(
      sets.flatMap((_, i) => (splitOf(i) === split ? [{ image: pictures[i]!.bytes, label: numbers[i]! }] : [])),
      classes,
    );
  await write('many', [
    ...files,
    ['many.csv', text(['path,labels,split', ...csv].join('\n'))],
    ['many.jsonl', text(json.join('\n'))],
  ]);
  await write(
    'many-tar',
    (['train', 'val'] as const).map((split) => [`${split}-0.tar`, shard(split, (i) => ({ labels: sets[i] }))]),
  );
  await write(
    'many-parquet',
    (['train', 'val'] as const).map((split) => [`${split}-0.parquet`, table(split)]),
  );
  for (const path of [at('many', 'many.csv'), at('many', 'many.jsonl'), at('many-tar'), at('many-parquet')]) {
    const { train, val } = await readData(path, SPLIT);
    expect(train.multiLabel).toBe(true);
    expect(train.classes).toEqual(classes);
    expect(train.samples.map(({ labels }) => labels)).toEqual([[0, 1], [], [2], [1], [0, 2]]);
    expect(train.samples.map(({ label }) => label)).toEqual([0, -1, 2, 1, 0]);
    expect(val.samples.map(({ labels }) => labels)).toEqual([[1]]);
    expect(val.multiLabel).toBe(true);
  }
});

describe('validation images named apart', () => {
  const train = (): Picture[] => ofSplit('train');
  const names = (samples: readonly Sample[]): string[] => samples.map((sample) => sampleName(sample)).sort();
  let root = '';
  beforeAll(async () => {
    root = await write(
      'apart',
      train().map(({ name, bytes }) => [name, bytes]),
    );
    await write('apart-zip', [['a.zip', zip(train().map(({ name, bytes }) => [name, bytes]))]]);
    await write('apart-lists', [
      ['below.txt', text('ant/0.jpg\r\nbee/1.jpg\n\n./cat 10/2.jpg')],
      ['beside.txt', text('../apart/ant/0.jpg\n../apart/bee/1.jpg\n../apart/cat 10/2.jpg')],
      ['paths.csv', text(`path\nant/0.jpg\nbee/1.jpg\n${at('apart', 'cat 10', '2.jpg')}`)],
      ['labels.csv', text('path,label\n../apart/ant/0.jpg,ant\n../apart/bee/1.jpg,bee\n../apart/cat 10/2.jpg,cat 10')],
      ['wrong.txt', text('ant/0.jpg\nant/none.jpg')],
      ['unknown.csv', text('path,label\n../apart/ant/0.jpg,aunt')],
      [
        'everything.txt',
        text(
          train()
            .map(({ name }) => name)
            .join('\n'),
        ),
      ],
    ]);
    await write(
      'apart-val',
      ofSplit('val').map(({ name, bytes }) => [name, bytes]),
    );
  });
  test.each(['below.txt', 'beside.txt', 'paths.csv', 'labels.csv'])('by %s', async (list) => {
    const data = await readSplitData(root, at('apart-lists', list), SPLIT);
    const expected = ['ant/0.jpg', 'bee/1.jpg', 'cat 10/2.jpg'].map((name) => join(root, name)).sort();
    expect(names(data.val.samples)).toEqual(expected);
    expect(data.train.samples.length).toBe(train().length - 3);
    expect(names(data.train.samples).filter((name) => expected.includes(name))).toEqual([]);
    expect(data.val.samples.map(({ label }) => CLASSES[label])).toEqual(
      expect.arrayContaining(['ant', 'bee', 'cat 10']),
    );
  });
  test('of an archive by names inside it, and by a folder', async () => {
    const inside = await readSplitData(at('apart-zip', 'a.zip'), at('apart-lists', 'below.txt'), SPLIT);
    expect(inside.val.samples.map(({ part }) => part!.name)).toEqual(['ant/0.jpg', 'bee/1.jpg', 'cat 10/2.jpg']);
    const folder = await readSplitData(at('apart-zip', 'a.zip'), at('apart-val'), SPLIT);
    expect([folder.train.samples.length, folder.val.samples.length]).toEqual([20, 8]);
    expect(await contents(folder.val)).toEqual(reference.val);
  });
  test('refuses what it cannot find', async () => {
    const message = (list: string): Promise<string> => messageOf(readSplitData(root, at('apart-lists', list), SPLIT));
    expect(await message('wrong.txt')).toMatch(/wrong\.txt", line 2: "ant\/none\.jpg" is no image of ".*apart"/);
    expect(await message('unknown.csv')).toMatch(/images of "aunt", a class that the training images lack.*be "ant"/);
    expect(await message('everything.txt')).toMatch(/takes all images for validation/);
    expect(await message('nothing.txt')).toMatch(/There is no file or folder ".*nothing\.txt" for validation/);
  });
});

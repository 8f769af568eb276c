/** Data files that are wrong, damaged or made to do harm: each ends in a message that says what is wrong. */
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Sample } from '../../src/data/dataset.ts';
import { decodeSample } from '../../src/data/decode-sample-node.ts';
import { readData } from '../../src/data/readers/data-node.ts';
import { rounds } from '../rounds.ts';
import { type Files, parquet, tar, tarHeader, type ZipOptions, zip } from './archives.ts';
import { messageOf } from './image-files.ts';
import { at, CLASSES, COUNTS, className, pictures, SPLIT, text, wds, write } from './pictures.ts';

const one = (): Uint8Array => pictures[0]!.bytes;
const lists: readonly [name: string, file: string, content: string | Uint8Array, message: RegExp][] = [
  ['no column of paths', 'a.csv', 'id,label\n1,ant', /line 1: no column names the images; there are "id", "label"/],
  ['a misspelt column', 'a.csv', 'pth,label\n1,ant', /Did you mean "path"/],
  ['no labels', 'a.csv', 'path\n0.jpg', /line 1: there is no column of classes/],
  ['two columns of labels', 'a.csv', 'path,label,labels\n0.jpg,a,b', /line 1: both "label" and "labels"/],
  ['a missing cell', 'a.csv', 'path,label\n0.jpg,a\n0.jpg', /line 3: there are 1 cells, but 2 columns/],
  ['an open quote', 'a.csv', 'path,label\n"0.jpg,a\n1.jpg,b', /line 2: a quote is opened and never closed/],
  ['text after a quote', 'a.csv', 'path,label\n"0\n.jpg"x,a', /line 3: something follows a closing quote/],
  ['an empty label', 'a.csv', 'path,label\n0.jpg,', /line 2: the label is empty/],
  ['an address', 'a.csv', 'path,label\nhttps://x.org/0.jpg,a', /line 2: .* is an address, not a file/],
  ['another split', 'a.csv', 'path,label,split\n0.jpg,a,hold-out', /line 2: "hold-out" is no split/],
  [
    'files that are not there',
    'a.csv',
    'path,label\nx/0.jpg,a\nx/1.jpg,b',
    /line 2: there is no file ".*x.0\.jpg".*relative/,
  ],
  ['two labels', 'a.csv', 'path,label\n0.jpg,a\n./0.jpg,b', /line 3: "0\.jpg" is "b", but on line 2 "a"/],
  [
    'two splits',
    'a.csv',
    'path,label,split\n0.jpg,a,train\n0.jpg,a,val',
    /line 3: .* is for val, but on line 2 for train/,
  ],
  ['one class', 'a.csv', 'path,label\n0.jpg,a', /images of 1 class; a classifier needs at least two/],
  [
    'untrained classes',
    'a.csv',
    'path,label,split\n0.jpg,a,train\n1.jpg,b,val',
    /line 3: there are no training images of "b"/,
  ],
  ['nothing', 'a.csv', '', /lists no images/],
  ['binary', 'a.csv', Uint8Array.of(0x70, 0, 0xff, 0xfe), /is no text in UTF-8/],
  ['no JSON', 'a.jsonl', '{"path": "0.jpg", "label": 1}\n{"path"', /line 2: there is no JSON object/],
  ['a fraction', 'a.jsonl', '{"path": "0.jpg", "label": 1.5}', /line 1: "label" is no text and no whole number/],
  ['no array', 'a.jsonl', '{"path": "0.jpg", "labels": "a"}', /line 1: "labels" is no array/],
  ['unknown files', 'a.docx', 'x', /is a file, not a folder, and of no kind that is known/],
];
test.each(lists)('a list with %s is refused', async (name, file, content, message) => {
  const bytes = typeof content === 'string' ? text(content) : content;
  await write(`bad ${name}`, [
    ['0.jpg', one()],
    ['1.jpg', pictures[1]!.bytes],
    [file, bytes],
  ]);
  expect(await messageOf(readData(at(`bad ${name}`, file), SPLIT))).toMatch(message);
});

const zips: readonly [name: string, names: readonly string[], options: ZipOptions, message: RegExp][] = [
  ['a way out', ['a/0.jpg', '../b/0.jpg'], {}, /path "\.\.\/b\/0\.jpg", which leads out of it/],
  ['an absolute path', ['a/0.jpg', '/etc/passwd'], {}, /leads out of it/],
  ['a drive', ['a/0.jpg', 'C:\\b\\0.jpg'], {}, /leads out of it/],
  ['a file twice', ['a/0.jpg', 'a/0.jpg'], {}, /holds "a\/0\.jpg" twice/],
  ['folders without end', ['a/0.jpg', `${'a/'.repeat(5000)}0.jpg`], {}, /folders more than 100 deep/],
  ['files that overlap', ['a/0.jpg', 'b/0.jpg'], { overlap: true }, /made to do harm: its files overlap/],
  ['encrypted files', ['a/0.jpg', 'b/0.jpg'], { flags: 1 }, /is encrypted/],
  ['another method', ['a/0.jpg', 'b/0.jpg'], { method: 14 }, /by method 14, which cannot be read/],
  ['sizes that differ', ['a/0.jpg', 'b/0.jpg'], { stored: true, claim: 7 }, /is damaged at "a\/0\.jpg"/],
  ['loose pictures', ['0.jpg', '1.jpg'], {}, /holds 2 images, but no folder a class/],
];
test.each(zips)('a zip with %s is refused', async (name, names, options, message) => {
  const bytes = zip(
    names.map((file) => [file, one()]),
    options,
  );
  await write(`zip ${name}`, [['a.zip', bytes]]);
  expect(await messageOf(readData(at(`zip ${name}`, 'a.zip'), SPLIT))).toMatch(message);
});

test('zip bombs inflate no further than they claim, and damage is told', async () => {
  const bomb = new Uint8Array(2 ** 24);
  const read = async (name: string, bytes: Buffer): Promise<Sample[]> => {
    await write('bombs', [[name, bytes]]);
    const { train, val } = await readData(at('bombs', name), SPLIT);
    return [...train.samples, ...val.samples];
  };
  const files: Files = [
    ['a/0.jpg', bomb],
    ['b/0.jpg', bomb],
  ];
  const [liar] = await read('liar.zip', zip(files, { claim: 1000 }));
  expect(await messageOf(decodeSample(liar!))).toMatch(/liar\.zip:a\/0\.jpg" is damaged/);
  const [greedy] = await read('greedy.zip', zip(files, { claim: 2 ** 31 }));
  expect(await messageOf(decodeSample(greedy!))).toMatch(/has more than 512 MiB/);
  const whole = zip(
    [
      ['a/0.jpg', one()],
      ['b/0.jpg', pictures[1]!.bytes],
    ],
    { stored: true },
  );
  const changed = Buffer.from(whole);
  changed[600]! ^= 1;
  const [first] = await read('changed.zip', changed);
  expect(await messageOf(decodeSample(first!))).toMatch(/changed\.zip:a\/0\.jpg" is damaged/);
  const notes = await read(
    'notes.zip',
    zip([
      ['a/0.jpg', text('hello')],
      ['b/0.jpg', one()],
    ]),
  );
  expect(await messageOf(decodeSample(notes.find(({ part }) => part!.name === 'a/0.jpg')!))).toMatch(
    /notes\.zip:a\/0\.jpg" is not an image: it is text/,
  );
});

/** (A tar file may lack its end: the padding of the last file and two empty blocks.) */
test.each(['zip', 'tar', 'parquet'])('a %s that is cut off anywhere is refused', async (kind) => {
  const two = [pictures[0]!, pictures[COUNTS.train]!];
  const whole = {
    zip: () => zip(two.map(({ name, bytes }) => [name, bytes])),
    tar: () => tar(two.flatMap((picture) => wds(picture, ['cls', className(picture)]))),
    parquet: () =>
      parquet(
        two.map(({ bytes, label }) => ({ image: bytes, label })),
        CLASSES,
      ),
  }[kind]!();
  await write('cuts', [[`a.${kind}`, whole]]);
  const path = at('cuts', `a.${kind}`);
  const keep = [0, 1, 21, 22, 100, 511, 512, 513, 1024, whole.length >> 1, whole.length - 2000, whole.length - 1];
  for (const length of keep.filter((n) => n < whole.length - (kind === 'tar' ? 1536 : 0)).sort((a, b) => b - a)) {
    await truncate(path, length);
    expect(await messageOf(readData(path, SPLIT))).toMatch(
      /cut off|damaged|cannot be read|no zip|no tar|one class|no images/,
    );
  }
});

/** Any byte of an archive may be wrong: the reader refuses it or reads on, but never fails otherwise or hangs. */
test.each(['zip', 'tar', 'parquet'])('a %s with wrong bytes ends in a message at worst', async (kind) => {
  const two = [pictures[0]!, pictures[COUNTS.train]!];
  const whole = {
    zip: () =>
      zip(
        two.map(({ name, bytes }) => [name, bytes]),
        { wide: true },
      ),
    tar: () =>
      tar(
        two.flatMap((picture) => wds(picture, ['cls', className(picture)])),
        'pax',
      ),
    parquet: () =>
      parquet(
        two.map(({ bytes, label }) => ({ image: bytes, label })),
        CLASSES,
      ),
  }[kind]!();
  await mkdir(at('wrong'), { recursive: true });
  for (let i = 0; i < rounds(kind === 'parquet' ? 40 : 250); i++) {
    const bytes = Buffer.from(whole);
    // The structures lie at the ends; some changes hit the middle.
    const place = [i * 3, whole.length - 1 - i * (kind === 'parquet' ? 17 : 3), (i * 7919) % whole.length][i % 3]!;
    bytes[place] = (bytes[place]! + 1 + ((i * 37) % 255)) % 256;
    const path = at('wrong', `${i}.${kind}`);
    await writeFile(path, bytes);
    const data = await readData(path, SPLIT).catch((error: Error) => error);
    if (data instanceof Error) expect(`${data.name}: ${data.message}\n${data.stack}`).toMatch(/^UserError/);
    else
      for (const sample of data.train.samples)
        await decodeSample(sample).catch((error: Error) => expect(error.name).toBe('UserError'));
  }
});

test('tar files: what is wrong and what to do', async () => {
  const read = async (name: string, bytes: Uint8Array): Promise<string> => {
    await write('bad-tars', [[name, bytes]]);
    return messageOf(readData(at('bad-tars', name), SPLIT));
  };
  const sample = pictures[0]!;
  const image: Files = [[sample.name, sample.bytes]];
  expect(await read('unlabeled.tar', tar(image))).toMatch(/unlabeled\.tar:ant\/0" has no label/);
  expect(await read('two.tar', tar([...image, ['ant/0.png', one()]]))).toMatch(/has two images, jpg and png/);
  expect(await read('empty.tar', tar([['readme.txt', text('x')]]))).toMatch(/no images with labels/);
  expect(await read('text.tar', text('x'.repeat(2000)))).toMatch(/is no tar file/);
  expect(await read('long.tar', tarHeader('a.jpg', '77777777777\0'))).toMatch(/is cut off/);
  expect(await read('wide.tar', tarHeader('a.jpg', `\x80${'\x7f'.repeat(11)}`))).toMatch(/is damaged/);
  expect(await read('odd.tar', tarHeader('a.jpg', '12x4'))).toMatch(/is damaged/);
  expect(await read('name.tar', Buffer.concat([tarHeader('x', 2 ** 21, 'L'), Buffer.alloc(2 ** 21)]))).toMatch(
    /is damaged/,
  );
  expect(await read('a.tar.gz', text('x'))).toMatch(/is packed\. Unpack it first: gunzip/);
  expect(
    await read(
      'mixed.tar',
      tar([
        ...wds(sample, ['json', '{"label": 1}']),
        ...wds({ ...sample, name: 'b.jpg' }, ['json', '{"labels": [1]}']),
      ]),
    ),
  ).toMatch(/has a list of labels, unlike the first/);
  await write('half-named', [
    ['train-0.tar', tar(image)],
    ['more-0.tar', tar(image)],
  ]);
  expect(await messageOf(readData(at('half-named'), SPLIT))).toMatch(/more-0\.tar" says neither train, val nor test/);
  await write('numbers', [
    ['a.tar', tar(wds(sample, ['cls', '7']))],
    ['classes.txt', text('a\nb')],
  ]);
  expect(await messageOf(readData(at('numbers'), SPLIT))).toMatch(
    /numbers.a\.tar:ant\/0\.jpg": "7" is none of the 2 classes/,
  );
});

test('parquet files: what is wrong, and labels that are not told', async () => {
  const rows = pictures.slice(0, 10).map(({ bytes }, i) => ({ image: bytes, label: i % 2 }));
  await write('hidden', [
    ['train-0.parquet', parquet(rows, ['a', 'b'])],
    [
      'test-0.parquet',
      parquet(
        rows.map((row) => ({ ...row, label: -1 })),
        ['a', 'b'],
      ),
    ],
  ]);
  const { warnings, test: held, train } = await readData(at('hidden'), SPLIT);
  expect(held).toBeUndefined();
  expect(train.classes).toEqual(['a', 'b']);
  expect(warnings).toEqual([expect.stringMatching(/10 images of ".*test-0\.parquet" have no label/)]);
  await write('too-far', [['train-0.parquet', parquet(rows, ['a'])]]);
  expect(await messageOf(readData(at('too-far'), SPLIT))).toMatch(
    /train-0\.parquet:row 1": "1" is none of the 1 classes/,
  );
  await write('other', [
    ['train-0.parquet', parquet(rows, ['a', 'b'])],
    ['val-0.parquet', parquet(rows, ['b', 'a'])],
  ]);
  expect(await messageOf(readData(at('other'), SPLIT))).toMatch(/val-0\.parquet" has other labels or classes/);
});

/** Images with several labels from a list to an exported file, with the command line as a process. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../src/core/random.ts';
import { built, COLORS, cli, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const NAMES = Object.keys(COLORS);

/** Gray noise with a bar, in a place of its own, for each of the labels; about one image in eight has none. */
async function makeList(split: string, count: number): Promise<void> {
  mkdirSync(`${folder}/set`, { recursive: true });
  const lines = ['path,labels'];
  for (let i = 0; i < count; i++) {
    const rng = random(split.length, i);
    const bars = NAMES.map(() => (rng.int(2) === 1 ? rng.int(28) : undefined));
    const pixel = (x: number, y: number): readonly number[] => {
      const bar = bars.findIndex((top, c) => top !== undefined && Math.floor(x / 14) === c && y >= top && y < top + 12);
      return bar === -1 ? [128, 128, 128] : COLORS[NAMES[bar]!]!;
    };
    const data = Buffer.from(
      Array.from({ length: 40 * 40 }, (_, p) =>
        pixel(p % 40, Math.floor(p / 40)).map((v) => v + rng.int(30) - 15),
      ).flat(),
    );
    await sharp(data, { raw: { width: 40, height: 40, channels: 3 } })
      .png()
      .toFile(`${folder}/set/${split}${i}.png`);
    lines.push(`${split}${i}.png,${NAMES.filter((_, c) => bars[c] !== undefined).join('|')}`);
  }
  writeFileSync(`${folder}/set/${split}.csv`, lines.join('\n'));
}

describe.skipIf(!built)('a list with several labels an image (built)', () => {
  let trained = '';
  beforeAll(async () => {
    await makeList('train', 160);
    await makeList('val', 40);
    const { code, out, err } = await cli(
      folder,
      'train',
      'set',
      ...TINY,
      '--epochs',
      '20',
      '--crop-scale-min',
      '0.8',
      '--out',
      'run',
    );
    expect(code, err).toBe(0);
    trained = out;
  });
  afterAll(remove);

  const json = async (...args: string[]) => JSON.parse((await cli(folder, ...args, '--json')).out);

  it('learns, and speaks of mean average precision', async () => {
    expect(trained).toContain('3 classes (any number an image)');
    expect(trained).toMatch(/^epoch 20\/20 +train loss \S+ +val loss \S+ mAP \d+\.\d %/m);
    expect(trained).not.toContain('top-1');
    const runs = await json('runs', '.');
    expect(runs[0].metric).toBe('map');
    expect(runs[0].best.score).toBeGreaterThan(90);
    const [head, ...rows] = readFileSync(`${folder}/run/metrics.csv`, 'utf8').trim().split('\n');
    expect(head).toMatch(/,valMap$/);
    expect(Math.max(...rows.map((row) => Number(row.split(',').at(-1))))).toBe(runs[0].best.score);
  });

  it('evaluates run, fused and exported file alike', async () => {
    expect((await cli(folder, 'fuse', 'run', '--images', 'set/val.csv')).out).toContain('proved on 40 images');
    const exported = await json('export', 'run', '--images', 'set/val.csv');
    expect(exported.latency.rows[0].median).toBeGreaterThan(0);
    const [run, ...others] = await Promise.all(
      [['run'], ['run/fused.safetensors', 'set'], ['run/bundle/model.onnx', 'set']].map((one) => json('eval', ...one)),
    );
    expect(run.map).toBeGreaterThan(90);
    expect(run.classImages).toHaveLength(3);
    expect(run).not.toHaveProperty('confusion');
    expect(run.reliability.reduce((sum: number, { count }: { count: number }) => sum + count, 0)).toBe(3 * 40);
    for (const other of others) {
      expect(other.map).toBeCloseTo(run.map, 6);
      expect(other.ece).toBeCloseTo(run.ece, 2);
    }
    const text = await cli(folder, 'eval', 'run', '--corruptions');
    expect(text.out).toMatch(/^mAP .*ECE/m);
    expect(text.out).toMatch(/mAP in % at strength/);
    expect(text.out).not.toMatch(/top-1|undefined/);
    expect((await json('eval', 'run', '--diagnose')).finding.name).toEqual(expect.any(String));
  });

  it('predicts each label by its own probability', async () => {
    const { out } = await cli(folder, 'predict', 'run', 'set/val.csv', '--json', '--top', '1');
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const wanted = readFileSync(`${folder}/set/val.csv`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[1]!);
    const same = lines.filter(({ labels }, i) => [...labels].sort().join('|') === wanted[i]);
    expect(lines).toHaveLength(40);
    expect(same.length).toBeGreaterThan(20);
    for (const { labels, predictions } of lines) expect(predictions).toHaveLength(Math.max(1, labels.length));
    const text = await cli(folder, 'predict', 'run', 'set/val0.png');
    expect(text.out).toMatch(/; less likely |none above 50 %/);
  });

  it('says so in the bundle and in the report, which export writes anew', async () => {
    const card = JSON.parse(readFileSync(`${folder}/run/bundle/card.json`, 'utf8'));
    expect(card.task).toBe('multi_label_classification');
    expect(card.metrics.valMap).toBeGreaterThan(90);
    expect(readFileSync(`${folder}/run/bundle/README.md`, 'utf8')).not.toContain('softmax');
    expect(JSON.parse(readFileSync(`${folder}/run/bundle/golden.json`, 'utf8')).images[0].labels).toEqual(
      expect.any(Array),
    );
    const html = readFileSync(`${folder}/run/report.html`, 'utf8');
    const titles = [...html.matchAll(/<h2>([^<]*)/g)].map(([, title]) => title);
    expect(titles).toEqual(
      expect.arrayContaining([
        'Average precision of each class',
        'Can its probabilities be believed?',
        'Proof',
        'Latency',
      ]),
    );
    expect(titles).not.toContain('Most confused pairs');
    expect(html).toContain('model.onnx against fused');
    expect(html).not.toMatch(/undefined|top-1|NaN/);
    expect((await cli(folder, 'report', 'run')).out).toContain('report.html');
    expect(readFileSync(`${folder}/run/report.html`, 'utf8')).toBe(html);
  });
});

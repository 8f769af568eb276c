/** `mobileone data stats`, and training with what it measures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readData } from '../../src/data/readers/data-node.ts';
import { evalImage } from '../../src/images/decode-node.ts';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
beforeAll(() => makeImages(join(folder, 'photos'), 12));
afterAll(remove);

describe.skipIf(!built)('mobileone data stats (needs dist: npx tsdown)', () => {
  it('measures the training images as the network sees them, exactly', async () => {
    const answer = JSON.parse((await cli(folder, 'data', 'stats', 'photos', '--size', '32', '--json')).out) as {
      mean: number[];
      std: number[];
      images: number;
      pixels: number;
    };
    const { train } = await readData(join(folder, 'photos'), { valFraction: 0.1, seed: 0 });
    const values: number[][] = [[], [], []];
    for (const { path } of train.samples) {
      const pixels = await evalImage(path, { size: 32, cropPct: 0.875 });
      pixels.forEach((level, i) => {
        values[i % 3]!.push(level / 255);
      });
    }
    expect(answer).toMatchObject({ images: train.samples.length, pixels: train.samples.length * 32 * 32 });
    for (const [c, channel] of values.entries()) {
      const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
      const variance = channel.reduce((sum, value) => sum + (value - mean) ** 2, 0) / channel.length;
      expect(answer.mean[c]).toBeCloseTo(mean, 10);
      expect(answer.std[c]).toBeCloseTo(Math.sqrt(variance), 10);
    }
    const { out } = await cli(folder, 'data', 'stats', 'photos', '--size', '32');
    expect(out).toMatch(/^use {2}mobileone train photos --size 32 --mean [\d.,]+ --std [\d.,]+$/m);
  });

  it('goes into the model, its checkpoints and its exported form', async () => {
    const flags = ['--mean', '0.4,0.5,0.6', '--std', '0.2,0.25,0.3'];
    const trained = await cli(folder, 'train', 'photos', ...TINY, '--epochs', '1', ...flags, '--out', 'run');
    expect(trained.err).toBe('');
    const resumed = await cli(folder, 'train', '--resume', 'run');
    expect(resumed.code).toBe(0);
    const evaluated = JSON.parse(
      (await cli(folder, 'eval', 'run/fused.safetensors', 'photos', '--json')).out,
    ) as object;
    expect(evaluated).toMatchObject({ images: 36 });
    await cli(folder, 'export', 'run');
    const exported = JSON.parse(readFileSync(join(folder, 'run', 'bundle', 'preprocessing.json'), 'utf8')) as object;
    expect(exported).toMatchObject({ mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] });
    // A model that begins with it keeps them, unless others are given.
    const explain = async (...more: string[]): Promise<string> =>
      (await cli(folder, 'train', '--explain', '--pretrained', 'run', ...more)).out;
    expect(await explain()).toMatch(/^mean +auto: 0\.4,0\.5,0\.6 /m);
    expect(await explain('--mean', '0,0,0')).toMatch(/^mean +0,0,0 +--mean$/m);
    const wrong = await cli(folder, 'train', 'photos', '--mean', '0.5');
    expect(wrong.err).toContain('mean has 1 number, but images have 3 channels');
    const zero = await cli(folder, 'train', 'photos', '--std', '0,1,1');
    expect(zero.err).toContain('std must be numbers above 0, or auto');
  });
});

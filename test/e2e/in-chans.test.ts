/** Images of other channels than RGB, from the data to the exported file. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/checkpoint/store-node.ts';
import { random } from '../../src/core/random.ts';
import { decodeImage } from '../../src/images/decode-node.ts';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
afterAll(remove);

const SIDE = 28;

/** Digits of seven segments at random places, as MNIST's files. */
function makeDigits(dir: string): void {
  const segments = ['abcdef', 'bc', 'abged', 'abgcd'];
  const lines: Readonly<Record<string, readonly [number, number, number, number]>> = {
    a: [0, 0, 8, 0],
    b: [8, 0, 8, 8],
    c: [8, 8, 8, 16],
    d: [0, 16, 8, 16],
    e: [0, 8, 0, 16],
    f: [0, 0, 0, 8],
    g: [0, 8, 8, 8],
  };
  mkdirSync(dir);
  for (const [stem, count] of [['train', 240] as const, ['t10k', 40] as const]) {
    const pixels = new Uint8Array(count * SIDE * SIDE);
    for (let n = 0; n < count; n++) {
      const rng = random(3, count, n);
      const [left, top] = [3 + rng.int(12), 3 + rng.int(6)];
      for (const segment of segments[n % 4]!) {
        const [x0, y0, x1, y1] = lines[segment]!;
        for (let t = 0; t <= 16; t++) {
          const x = left + Math.round(x0 + ((x1 - x0) * t) / 16);
          const y = top + Math.round(y0 + ((y1 - y0) * t) / 16);
          for (const [dx, dy] of [
            [0, 0],
            [1, 0],
            [0, 1],
          ] as const)
            pixels[(n * SIDE + y + dy) * SIDE + x + dx] = 200 + rng.int(56);
        }
      }
    }
    const head = (sizes: readonly number[]): Buffer => {
      const view = new DataView(new ArrayBuffer(4 + 4 * sizes.length));
      view.setUint32(0, 0x0800 + sizes.length);
      sizes.forEach((size, i) => {
        view.setUint32(4 + 4 * i, size);
      });
      return Buffer.from(view.buffer);
    };
    writeFileSync(join(dir, `${stem}-images-idx3-ubyte`), Buffer.concat([head([count, SIDE, SIDE]), pixels]));
    const labels = Uint8Array.from({ length: count }, (_, n) => n % 4);
    writeFileSync(join(dir, `${stem}-labels-idx1-ubyte`), Buffer.concat([head([count]), labels]));
  }
}

beforeAll(async () => {
  makeDigits(at('digits'));
  await makeImages(at('photos'), 10);
});

const GRAY = [...TINY, '--in-chans', '1', '--hflip', '0', '--crop-scale-min', '0.7'];

describe.skipIf(!built)('images of other channels (needs dist: npx tsdown)', () => {
  it('trains on gray digits: evaluated, predicted, fused, exported with one channel', async () => {
    const measured = JSON.parse(
      (await cli(folder, 'data', 'stats', 'digits', '--size', '32', '--in-chans', '1', '--json')).out,
    ) as { mean: number[]; std: number[] };
    expect(measured.mean).toHaveLength(1);
    const mean = ['--mean', measured.mean[0]!.toFixed(4), '--std', measured.std[0]!.toFixed(4)];
    const jitter = ['--brightness', '0.2', '--contrast', '0.2', '--rotate', '5', '--auto-augment', 'none'];
    const flags = ['--widths', '.25,.25,.25,.25', '--epochs', '8', '--ema-decay', '0.9', ...mean, ...jitter];
    const trained = await cli(folder, 'train', 'digits', ...GRAY, ...flags, '--out', 'run');
    expect(trained.err).toBe('');
    expect(trained.code).toBe(0);
    const { config, preprocessing, state } = await loadModel(at('run', 'fused.safetensors'));
    expect(config.in_chans).toBe(1);
    expect(preprocessing.mean).toEqual([Number(mean[1])]);
    expect(state.get('stem.reparam_conv.weight')!.shape[1]).toBe(1);
    const top1 = async (...args: string[]): Promise<number> =>
      (JSON.parse((await cli(folder, 'eval', ...args, '--json')).out) as { top1: number }).top1;
    const accuracy = await top1('run', 'digits', '--split', 'test');
    expect(accuracy).toBeGreaterThan(60);

    const exported = await cli(folder, 'export', 'run');
    expect(exported.out).toContain('uint8 gray [N, 32, 32, 1]');
    expect(exported.out).toMatch(/checked on \d+ real images/);
    const described = JSON.parse(readFileSync(at('run', 'bundle', 'preprocessing.json'), 'utf8')) as object;
    expect(described).toMatchObject({ channels: 1, color: 'gray' });
    const golden = await sharp(at('run', 'bundle', 'golden', '00.png')).metadata();
    expect(golden.channels).toBe(1);
    const { InferenceSession, Tensor } = await import('onnxruntime-node');
    const session = await InferenceSession.create(at('run', 'bundle', 'model.onnx'));
    const answer = await session.run({ image: new Tensor('uint8', new Uint8Array(2 * 32 * 32), [2, 32, 32, 1]) });
    expect(answer.logits!.dims).toEqual([2, 4]);
    expect(await top1('run/bundle/model.onnx', 'digits', '--split', 'test')).toBeCloseTo(accuracy, 6);

    const said = await cli(folder, 'predict', 'run', 'photos/red/0.png', '--json');
    expect(JSON.parse(said.out)).toMatchObject({ predictions: [{}, {}, {}, {}] });
    const resumed = await cli(folder, 'train', '--resume', 'run');
    expect(resumed.code).toBe(0);
    const corrupted = await cli(folder, 'eval', 'run', '--corruptions');
    expect(corrupted.err).toContain('Corruptions are for RGB images');
  }, 120_000);

  it('makes RGB weights ones for gray: kernels of the stem are summed, mean and deviation averaged', async () => {
    const plain = ['--mean', '0.5,0.5,0.5', '--std', '0.25,0.25,0.25', '--epochs', '1', '--auto-augment', 'none'];
    await cli(folder, 'train', 'digits', ...TINY, ...plain, '--out', 'rgb');
    const flags = ['--in-chans', '1', '--batch-size', '8', '--size', '32', '--epochs', '1', '--lr', '1e-12'];
    const still = ['--ema-decay', '0', '--recalibrate-images', '0', '--weight-decay', '0', '--weight-decay-end', '0'];
    const args = ['train', 'digits', '--pretrained', 'rgb/model.safetensors', ...flags, ...still, '--threads', '1'];
    const { code, out } = await cli(folder, ...args, '--out', 'gray');
    expect(code).toBe(0);
    expect(out).toContain('The stem of rgb/model.safetensors, for RGB, is made one for gray.');
    const { state: before } = await loadModel(at('rgb', 'model.safetensors'));
    const { state: after, preprocessing } = await loadModel(at('gray', 'model.safetensors'));
    expect(preprocessing).toMatchObject({ mean: [0.5], std: [0.25] });
    const [rgb, gray] = [before, after].map((state) => state.get('stem.conv_kxk.0.conv.weight')!);
    expect(gray!.shape).toEqual([rgb!.shape[0], 1, 3, 3]);
    for (let t = 0; t < 9; t++)
      expect(gray!.data[t]).toBeCloseTo(rgb!.data[t]! + rgb!.data[9 + t]! + rgb!.data[18 + t]!, 5);
    const other = await cli(folder, 'train', 'photos', '--pretrained', 'gray', '--in-chans', '3', '--out', 'no');
    expect(other.err).toContain('is for images of 1 channel, and only weights for RGB');
  }, 60_000);

  it('trains on RGBA, and refuses what is for colors only', async () => {
    mkdirSync(at('clear', 'a'), { recursive: true });
    mkdirSync(at('clear', 'b'), { recursive: true });
    for (const [c, name] of ['a', 'b'].entries()) {
      for (let i = 0; i < 12; i++) {
        // Only alpha tells the classes apart: a hole on the left or on the right.
        const data = Uint8Array.from({ length: 40 * 40 * 4 }, (_, p) =>
          p % 4 === 3 ? ((p >> 2) % 40 < 20 === (c === 0) ? 0 : 255) : (i * 20 + p) % 256,
        );
        await sharp(data, { raw: { width: 40, height: 40, channels: 4 } })
          .png()
          .toFile(at('clear', name, `${i}.png`));
      }
    }
    const image = await decodeImage(at('clear', 'a', '0.png'), { channels: 4 });
    expect([image.channels, image.data[3], image.data[4 * 39 + 3]]).toEqual([4, 0, 255]);
    expect((await decodeImage(at('clear', 'a', '0.png'), { channels: 2 })).data[1]).toBe(0);
    const flags = ['--in-chans', '4', '--epochs', '4', '--hflip', '0', '--crop-scale-min', '0.8', '--ema-decay', '0.8'];
    const trained = await cli(folder, 'train', 'clear', ...TINY, ...flags, '--out', 'rgba');
    expect(trained.err).toBe('');
    const exported = await cli(folder, 'export', 'rgba');
    expect(exported.out).toContain('uint8 RGBA [N, 32, 32, 4]');
    const evaluated = JSON.parse((await cli(folder, 'eval', 'rgba', 'clear', '--split', 'all', '--json')).out) as {
      top1: number;
    };
    expect(evaluated.top1).toBeGreaterThan(90);
    const refused = async (...more: string[]): Promise<string> =>
      (await cli(folder, 'train', 'clear', ...more, '--out', 'refused')).err;
    expect(await refused('--in-chans', '4', '--brightness', '0.2')).toContain(
      'Color jitter is for gray and RGB images',
    );
    expect(await refused('--in-chans', '4', '--auto-augment', 'autoaugment')).toContain(
      'auto_augment is for gray and RGB',
    );
    expect(await refused('--in-chans', '1', '--hue', '0.1')).toContain('--hue would have no effect here');
    expect(await refused('--in-chans', '5')).toContain('in_chans must be a whole number of at least 1 and at most 4');
    expect(await refused('--in-chans', '1', '--mean', '0.1,0.2,0.3')).toContain(
      'mean has 3 numbers, but images have 1 channel',
    );
  }, 60_000);
});

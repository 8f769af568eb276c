/** A small model whose answers are far from certain, and pictures, for the tests of `load` in Node and browsers. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { compileClassifier } from '../../src/embed/compile.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';

export const SIZE = 48;
const LABELS = ['ant', 'bee', 'cat', 'dog', 'eel', 'fly', 'gnu'];

/** A model of train form, with squeeze-and-excite, whose logits for noise are at most 2. */
export async function smallModel(options: { multiLabel?: true; channels?: 1 | 3 | 4 } = {}): Promise<ModelFile> {
  const { multiLabel, channels = 3 } = options;
  const config: MobileOneConfig = {
    ...VARIANTS.s0,
    depths: [1, 1, 2, 1],
    widths: [0.25, 0.25, 0.25, 0.125],
    num_conv_branches: 2,
    se_blocks: [0, 0, 1, 0],
    num_classes: LABELS.length,
    in_chans: channels,
  };
  const graph = mobileOne(config);
  const state = new Map(initialState(graph, 11));
  const perChannel = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, i) => values[i % 3]!);
  const model: ModelFile = {
    config,
    form: 'train',
    classes: LABELS,
    ...(multiLabel ? { multiLabel } : {}),
    preprocessing: {
      size: SIZE,
      cropPct: 0.875,
      interpolation: 'bilinear',
      mean: perChannel([0.48, 0.45, 0.4]),
      std: perChannel([0.22, 0.23, 0.22]),
    },
    graph,
    state,
    metrics: { valTop1: 91.25 },
    info: { license: 'CC0' },
  };
  const program = await compileClassifier(createReferenceEngine(), model, 1);
  const noise = Uint8Array.from({ length: SIZE * SIZE * channels }, (_, i) => (i * 7919) % 256);
  const { logits } = await program.run({ image: { shape: [1, SIZE, SIZE, channels], data: noise } });
  const scale = 2 / Math.max(...Array.from(logits!.data, Math.abs));
  const { shape, data } = state.get('head.fc.weight')!;
  state.set('head.fc.weight', { shape, data: Float32Array.from(data, (value) => value * scale) });
  return model;
}

/** A picture of smooth colors and a pattern, so that resizing, rotation and color all show. */
function picture(width: number, height: number, channels: 3 | 4 = 3): Sharp {
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += channels)
      data.set(
        [(255 * x) / width, (200 * y) / height + ((x >> 3) % 2) * 55, (x * y) % 256, 255 - x].slice(0, channels),
        i,
      );
  return sharp(data, { raw: { width, height, channels } });
}

/** Writes pictures of every kind that must look the same everywhere; returns their names. */
export async function writePictures(folder: string): Promise<string[]> {
  const files: Readonly<Record<string, Sharp>> = {
    'plain.png': picture(131, 97).png(),
    'large.png': picture(3001, 1750).png({ compressionLevel: 1 }),
    'small.png': picture(20, 31).png(),
    'alpha.png': picture(90, 80, 4).png(),
    'gray.png': picture(77, 99).grayscale().png(),
    'wide-gamut.png': picture(120, 90).withIccProfile('p3').png(),
    'photo.jpg': picture(240, 180).jpeg({ quality: 92 }),
    'rotated.jpg': picture(240, 130).withMetadata({ orientation: 6 }).jpeg({ quality: 92 }),
    'wide-gamut.jpg': picture(160, 120).withIccProfile('p3').jpeg({ quality: 92 }),
    'picture.webp': picture(100, 140).webp({ quality: 90 }),
  };
  for (const [name, image] of Object.entries(files)) await write(join(folder, name), await image.toBuffer());
  return Object.keys(files);
}

/** Writes a file and the folders above it. */
export async function write(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

/** Writes files by path below a folder. */
export async function writeAll(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [path, bytes] of files) await write(join(folder, path), bytes);
}

/** A folder with everything that someone who ships the model needs, checked before it is written. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Proof } from '../checkpoint/proof.ts';
import { writeAtomic } from '../checkpoint/write-node.ts';
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { type Engine, loadState } from '../engine/engine.ts';
import { evalGeometry } from '../images/preprocess.ts';
import type { ProofBatch } from '../reparam/prove.ts';
import { type Card, type CardDetails, makeCard, printCard } from './card.ts';
import type { ExportedModel, ExportOptions, RunnerOptions } from './format.ts';
import { ONNX } from './onnx/format-node.ts';
import { sha256 } from './onnx/write.ts';
import { type VerifyOptions, verifyFiles } from './verify.ts';

export interface BundleOptions extends ExportOptions, VerifyOptions, RunnerOptions {
  /** The engine whose logits the file must give. */
  readonly engine: Engine;
  /** Real images, uint8 `[N, H, W, 3]` of the exported size. */
  readonly images: Iterable<ProofBatch> | AsyncIterable<ProofBatch>;
  /** How many of them are kept as golden images; default 8. */
  readonly golden?: number;
  readonly details?: CardDetails;
}

export interface Bundle {
  readonly folder: string;
  /** Path of `model.onnx`. */
  readonly model: string;
  /** Bytes of `model.onnx`. */
  readonly bytes: number;
  readonly exported: ExportedModel;
  /** The check of the file in ONNX Runtime. */
  readonly proof: Proof;
  readonly card: Card;
}

/**
 * Exports a model, checks the file in ONNX Runtime, and only then writes the folder: `model.onnx`, `labels.txt`,
 * `preprocessing.json`, `golden.json` with `golden/*.png`, `proof.json`, `card.json` and `README.md`.
 */
export async function writeBundle(folder: string, model: ModelFile, options: BundleOptions): Promise<Bundle> {
  const { engine, details = {}, golden: count = 8 } = options;
  const exported = await ONNX.encode(model, options);
  const bytes = exported.files.get(exported.main)!;
  const kept: Tensor[] = [];
  const runner = await ONNX.open!(exported.files, exported.main, options);
  const images = keepFirst(options.images, count, kept);
  const proof = await verifyFiles(runner, exported, engine, images, options).finally(() => runner.dispose());
  const card = makeCard(model, exported, { onnx: proof, fileHash: await sha256(bytes) }, details);
  const golden = await goldenFiles(exported, engine, kept, model);

  await mkdir(join(folder, 'golden'), { recursive: true });
  const write = (name: string, bytes: Uint8Array | string): Promise<void> => writeAtomic(join(folder, name), bytes);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  for (const { file, png } of golden) await write(file, png);
  await write('golden.json', json(golden.map(({ png: _, ...entry }) => entry)));
  await write('labels.txt', model.classes.map((name) => `${name}\n`).join(''));
  await write('preprocessing.json', json(describePreprocessing(model, exported)));
  await write('proof.json', json(card.proof));
  await write('card.json', json(card));
  await write('README.md', printCard(card));
  await write('model.onnx', bytes);
  return { folder, model: join(folder, 'model.onnx'), bytes: bytes.length, exported, proof, card };
}

/** Passes batches on and keeps copies of the first images, each `[1, H, W, C]`. */
async function* keepFirst(
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  limit: number,
  kept: Tensor[],
): AsyncGenerator<ProofBatch> {
  for await (const batch of batches) {
    const { images, count } = 'images' in batch ? batch : { images: batch, count: batch.shape[0]! };
    const [, h, w, c] = images.shape as [number, number, number, number];
    for (let n = 0; n < count && kept.length < limit; n++) {
      kept.push({ shape: [1, h, w, c], data: images.data.slice(n * h * w * c, (n + 1) * h * w * c) });
    }
    yield batch;
  }
}

interface GoldenFile {
  readonly file: string;
  /** The first class; of a model for several labels those above 50 %. */
  readonly label?: string;
  readonly labels?: readonly string[];
  readonly logits: readonly number[];
  readonly png: Uint8Array;
}

async function goldenFiles(
  { graph, state }: ExportedModel,
  engine: Engine,
  images: readonly Tensor[],
  { classes, multiLabel }: ModelFile,
): Promise<GoldenFile[]> {
  const [, h, w] = images[0]!.shape;
  const program = await engine.compile(graph, { dims: { N: 1, H: h!, W: w! } });
  try {
    loadState(program, state);
    const files: GoldenFile[] = [];
    for (const [i, image] of images.entries()) {
      const logits = [...(await program.run({ image })).logits!.data];
      const answer = multiLabel
        ? { labels: classes.filter((_, c) => logits[c]! > 0) }
        : { label: classes[logits.indexOf(Math.max(...logits))]! };
      files.push({ file: `golden/${String(i).padStart(2, '0')}.png`, ...answer, logits, png: await encodePng(image) });
    }
    return files;
  } finally {
    await program.dispose();
  }
}

/** Encodes a uint8 image `[1, H, W, C]` (gray or RGB, or either with alpha), losslessly. */
export async function encodePng({ shape, data }: Tensor): Promise<Uint8Array> {
  const [, height, width, channels] = shape as [number, number, number, 1 | 2 | 3 | 4];
  const { default: sharp } = await import('sharp').catch(() => {
    throw new UserError(
      'Pictures are written by the package sharp, which is missing.',
      'Install it: npm install sharp',
    );
  });
  return await sharp(data as Uint8Array, { raw: { width, height, channels } })
    .toColourspace(channels < 3 ? 'b-w' : 'srgb')
    .png()
    .toBuffer();
}

const CHANNEL_NAMES: Readonly<Record<number, string>> = { 1: 'gray', 2: 'gray, alpha', 3: 'RGB', 4: 'RGBA' };

function describePreprocessing(model: ModelFile, { options, preprocessing }: ExportedModel): object {
  const { size, cropPct, interpolation, mean, std } = preprocessing;
  return {
    outside: {
      resize_short_side: evalGeometry(size, size, { size, cropPct }).resized.width,
      interpolation: `${interpolation}, antialiased`,
      center_crop: size,
      channels: CHANNEL_NAMES[model.config.in_chans] ?? `${model.config.in_chans}`,
    },
    inside_the_model: options.preprocessing,
    formula: '(value / 255 - mean) / std',
    mean,
    std,
    input: {
      layout: options.preprocessing ? options.layout : 'nchw',
      dtype: options.preprocessing ? 'uint8' : 'float32',
    },
  };
}

/** Small models for the Core ML tests, and packages damaged at random. */
import { existsSync, readFileSync } from 'node:fs';
import { type ModelFile, modelGraph } from '../../../src/checkpoint/model-file.ts';
import { loadModel } from '../../../src/checkpoint/store-node.ts';
import { UserError } from '../../../src/core/errors.ts';
import { type Random, random } from '../../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import { MODEL_PATH, WEIGHTS_PATH } from '../../../src/engine/coreml/package.ts';
import { COREML } from '../../../src/export/coreml/format.ts';
import type { ExportOptions } from '../../../src/export/format.ts';
import { evalImage } from '../../../src/images/decode-node.ts';
import { type MobileOneConfig, VARIANTS } from '../../../src/models/mobileone.ts';
import { lively } from './models.ts';

/** Squeeze-and-excite in two stages, widths that are no round numbers. */
const TINY: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 2, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  se_blocks: [0, 1, 0, 1],
  num_conv_branches: 2,
  num_classes: 12,
};

const STATISTICS = { mean: [0.485, 0.456, 0.406, 0.5], std: [0.229, 0.224, 0.225, 0.25] };

/** A model file with random weights. */
export function tinyModel(
  in_chans = 3,
  more: Partial<ModelFile> = {},
  config: Partial<MobileOneConfig> = {},
): ModelFile {
  const whole = { ...TINY, in_chans, ...config };
  const graph = modelGraph(whole, 'train');
  return {
    config: whole,
    form: 'train',
    classes: Array.from({ length: whole.num_classes }, (_, i) => `class ${i}`),
    preprocessing: {
      size: 37,
      cropPct: 0.875,
      interpolation: 'bilinear',
      mean: STATISTICS.mean.slice(0, in_chans),
      std: STATISTICS.std.slice(0, in_chans),
    },
    graph,
    state: lively(graph, 5),
    info: {},
    ...more,
  };
}

/** Random pictures, uint8 `[N, H, W, C]`. */
export function pictures(shape: readonly number[], seed = 1): Tensor {
  const rng = random(seed);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}

const RELEASED = '../shared/weights/mobileone_s0_fused_apple_in1k.safetensors';

export const hasReleased: boolean = existsSync(RELEASED);

/** Apple's published S0 with photos as it takes them and the probabilities of their likeliest classes. */
export async function releasedS0(): Promise<Released> {
  const model = await loadModel(RELEASED);
  const golden = JSON.parse(readFileSync(RELEASED.replace('.safetensors', '.golden.json'), 'utf8')) as Golden;
  const photos: Released['photos'][0][] = [];
  for (const { file, top5 } of golden.images.results) {
    const data = await evalImage(`../shared/${file}`, model.preprocessing);
    photos.push({ image: { shape: [1, 224, 224, 3], data }, top5 });
  }
  return { model, photos };
}

type Top5 = readonly (readonly [label: number, probability: number])[];

export interface Released {
  readonly model: ModelFile;
  readonly photos: readonly { readonly image: Tensor; readonly top5: Top5 }[];
}

interface Golden {
  readonly images: { readonly results: readonly { readonly file: string; readonly top5: Top5 }[] };
}

/** Changes some bytes: bits, whole bytes, numbers at the ends of their range; or cuts, doubles or removes a piece. */
function damage(bytes: Uint8Array, rng: Random): Uint8Array {
  const at = rng.int(bytes.length);
  const length = Math.min(bytes.length - at, 1 + rng.int(64));
  const piece = bytes.subarray(at, at + length);
  const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
  switch (rng.int(5)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 2:
      return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
    default: {
      const changed = bytes.slice();
      for (let i = 0; i <= rng.int(4); i++) {
        const place = rng.int(bytes.length);
        const extremes = [0, 1, 127, 128, 255];
        changed[place] = rng.int(2) ? changed[place]! ^ (1 << rng.int(8)) : extremes[rng.int(5)]!;
      }
      return changed;
    }
  }
}

export interface FuzzResult {
  /** Read without an objection: what was damaged does not matter to the program, or changed numbers in it. */
  readonly accepted: number;
  readonly refused: number;
  /** Errors other than UserError, which there must be none of. */
  readonly crashes: readonly string[];
}

/** Opens `count` damaged packages in the wasm engine. */
export async function fuzz(count: number, seed: number): Promise<FuzzResult> {
  const sources: ReadonlyMap<string, Uint8Array>[] = [];
  const variants: readonly [ModelFile, ExportOptions][] = [
    [tinyModel(), {}],
    [tinyModel(1), { precision: 'fp32' }],
    [tinyModel(4, { multiLabel: true }), { form: 'train' }],
    [tinyModel(), { preprocessing: false }],
  ];
  for (const [model, options] of variants) sources.push((await COREML.encode(model, { size: 32, ...options })).files);
  const rng = random(seed);
  const [crashes, counts] = [[] as string[], { accepted: 0, refused: 0 }];
  for (let i = 0; i < count; i++) {
    const source = sources[i % sources.length]!;
    // Most of the structure is in the model; the manifest and the weights have little that can break.
    const part = ([MODEL_PATH, MODEL_PATH, MODEL_PATH, WEIGHTS_PATH, 'Manifest.json'] as const)[rng.int(5)]!;
    const path = `model.mlpackage/${part}`;
    const files = new Map(source).set(path, damage(source.get(path)!, rng));
    try {
      const runner = await COREML.open!(files, 'model.mlpackage', { threads: 1 });
      await runner.dispose();
      counts.accepted++;
    } catch (error) {
      if (error instanceof UserError) counts.refused++;
      else crashes.push(`${i}: ${(error as Error).stack}`);
    }
  }
  return { ...counts, crashes };
}

/** The models that every format is tried with. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { recognize } from '../../src/checkpoint/recognize.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { VARIANTS, type Variant } from '../../src/models/mobileone.ts';
import {
  createReferenceEngine,
  DEFAULT_PREPROCESSING,
  type Engine,
  loadModel,
  type ModelFile,
} from '../../src/node.ts';
import { readCase } from '../../test/golden/case.ts';
import type { Images } from './images.ts';
import { livelyModel } from './lively.ts';

export interface FormatSubject {
  readonly name: string;
  readonly model: ModelFile;
  /** uint8 batches of the model's size. */
  readonly batches: readonly Tensor[];
  /** What the files are held to. */
  readonly engine: Engine;
}

/** Batches on which the statistics of random networks are measured. */
const CALIBRATION = 8;

/** S0 … S4 with lively random weights, held to the wasm engine in float32. */
export async function* variantSubjects(
  engine: Engine,
  images: Images,
  wanted: (name: string) => boolean,
  size: number,
): AsyncGenerator<FormatSubject> {
  for (const variant of Object.keys(VARIANTS) as Variant[]) {
    if (!wanted(variant)) continue;
    const batches = await images(size);
    const model = await livelyModel(VARIANTS[variant], engine, batches.slice(0, CALIBRATION), size);
    yield { name: `${variant.toUpperCase()}, random weights, ${size} px`, model, batches, engine };
  }
}

/** Side of the images for the golden nets. */
const GOLDEN_SIZE = 64;

/** The small nets of Apple's and timm's own code, held to the float64 reference. */
export async function* goldenSubjects(folder: string, images: Images): AsyncGenerator<FormatSubject> {
  for (const name of readdirSync(folder)) {
    const { graph, train, classes } = await readCase(join(folder, name));
    const model: ModelFile = {
      config: recognize(train).config,
      form: 'train',
      classes: Array.from({ length: classes }, (_, i) => String(i)),
      preprocessing: { ...DEFAULT_PREPROCESSING, size: GOLDEN_SIZE },
      graph,
      state: train,
      info: {},
    };
    const batches = await images(GOLDEN_SIZE);
    yield { name: `${name} (golden), ${GOLDEN_SIZE} px`, model, batches, engine: createReferenceEngine() };
  }
}

export const APPLE = 'mobileone_s0_fused_apple_in1k';

/** Apple's published S0, where its weights are. */
export async function* appleSubjects(folder: string, engine: Engine, images: Images): AsyncGenerator<FormatSubject> {
  const path = join(folder, `${APPLE}.safetensors`);
  if (!existsSync(path)) return;
  const model = await loadModel(path);
  const { size } = model.preprocessing;
  yield { name: `Apple's S0, ImageNet, ${size} px`, model, batches: await images(size), engine };
}

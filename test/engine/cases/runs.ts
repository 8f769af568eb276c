/** Runs of the training loop on a tiny network and images made from their labels. */
import { expect } from 'vitest';
import type { EpochMetrics, RunEvent } from '../../../src/core/events.ts';
import { permutation, random } from '../../../src/core/random.ts';
import { type StateDict, tensor } from '../../../src/core/tensor.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { nodeWasmEngine } from '../../../src/engine/wasm/node.ts';
import type { LabeledBatch } from '../../../src/evaluate/evaluate.ts';
import { type MobileOneConfig, mobileOne } from '../../../src/models/mobileone.ts';
import { withPreprocess } from '../../../src/models/preprocess.ts';
import { modelConfig } from '../../../src/models/registry.ts';
import { phaseAt } from '../../../src/recipe/curriculum.ts';
import type { Recipe } from '../../../src/recipe/recipe.ts';
import { resolveRecipe } from '../../../src/recipe/resolve.ts';
import { type BatchSource, type Position, type RunStore, type TrainOptions, train } from '../../../src/train/loop.ts';

export const SIZE = 32;
export const CLASSES: readonly string[] = ['red', 'green', 'blue'];

function image(label: number, index: number, size: number): Uint8Array {
  const rng = random(7, index);
  return Uint8Array.from({ length: size * size * 3 }, (_, i) => rng.int(120) + (i % 3 === label ? 120 : 0));
}

/** Batches of images whose color tells the class; shuffled a new way each epoch when training. */
export function source(
  images: number,
  batch: number,
  shuffle: boolean,
  sizeOf: (epoch: number) => number,
): BatchSource {
  const stepsPerEpoch = shuffle ? Math.floor(images / batch) : Math.ceil(images / batch);
  return {
    stepsPerEpoch,
    async *epoch(epoch, fromStep = 0) {
      const order = shuffle ? permutation(images, random(1, epoch)) : Int32Array.from({ length: images }, (_, i) => i);
      const size = sizeOf(epoch);
      for (let step = fromStep; step < stepsPerEpoch; step++) {
        const real = order.subarray(step * batch, (step + 1) * batch);
        const indices = Int32Array.from({ length: batch }, (_, i) => real[i % real.length]!);
        const labels = indices.map((index) => index % 3);
        const data = new Uint8Array(batch * size * size * 3);
        indices.forEach((index, n) => {
          data.set(image(labels[n]!, index, size), n * size * size * 3);
        });
        yield { images: tensor([batch, size, size, 3], data), labels, indices, count: real.length } as LabeledBatch;
      }
    },
  };
}

export interface Saved {
  last?: { state: StateDict; position: Position };
  best?: { state: StateDict; metrics: EpochMetrics };
  final?: { state: StateDict; metrics: EpochMetrics };
}

export function memoryStore(): RunStore & { saved: Saved } {
  const saved: Saved = {};
  return {
    saved,
    async checkpoint(state, position) {
      saved.last = { state, position };
      return 'last';
    },
    async model(kind, state, metrics) {
      saved[kind] = { state, metrics };
      return kind;
    },
    best: async () => saved.best!.state,
  };
}

export const engine: Engine = await nodeWasmEngine({ threads: 1 });

export function setUp(
  flags: Partial<Record<keyof Recipe, unknown>> = {},
): TrainOptions & { store: ReturnType<typeof memoryStore>; config: MobileOneConfig } {
  const { recipe } = resolveRecipe({
    flags: {
      size: SIZE,
      epochs: 4,
      batch_size: 6,
      lr: 0.05,
      depths: '1,1,1,1',
      widths: '.125,.125,.125,.125',
      num_conv_branches: 2,
      ...flags,
    },
  });
  const { depths, widths, num_conv_branches } = recipe;
  const config = modelConfig('s0', {
    depths: depths!,
    widths: widths!,
    num_conv_branches: num_conv_branches!,
    num_classes: 3,
  });
  const model = withPreprocess(mobileOne(config), { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  return {
    run: 'test',
    config,
    recipe,
    model,
    classes: CLASSES,
    engine,
    train: source(24, 6, true, (epoch) => phaseAt(recipe, epoch).size),
    val: source(10, 4, false, () => recipe.size),
    calibration: source(24, 6, false, () => recipe.size),
    trainImages: 24,
    valImages: 10,
    evalBatch: 4,
    calibrationBatch: 6,
    store: memoryStore(),
  };
}

export async function collect(options: TrainOptions, each?: (event: RunEvent) => void): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of train(options)) {
    events.push(event);
    each?.(event);
  }
  return events;
}

export function expectSameState(a: StateDict, b: StateDict): void {
  expect([...a.keys()]).toEqual([...b.keys()]);
  for (const [name, { data }] of a)
    expect(
      Buffer.compare(
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        Buffer.from(b.get(name)!.data.buffer, b.get(name)!.data.byteOffset, b.get(name)!.data.byteLength),
      ),
      name,
    ).toBe(0);
}

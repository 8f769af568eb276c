/** The training loop on a tiny network and images made from their labels. */
import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/checkpoint/training-state.ts';
import { UserError } from '../../src/core/errors.ts';
import type { EpochMetrics, RunEvent } from '../../src/core/events.ts';
import { permutation, random } from '../../src/core/random.ts';
import { type StateDict, tensor } from '../../src/core/tensor.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import type { LabeledBatch } from '../../src/evaluate/evaluate.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';
import { type MobileOneConfig, mobileOne } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { modelConfig } from '../../src/models/registry.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { resolveRecipe } from '../../src/recipe/resolve.ts';
import { type BatchSource, type Position, type RunStore, type TrainOptions, train } from '../../src/train/loop.ts';
import { ratesAt } from '../../src/train/update.ts';

const SIZE = 32;
const CLASSES = ['red', 'green', 'blue'];

function image(label: number, index: number): Uint8Array {
  const rng = random(7, index);
  return Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => rng.int(120) + (i % 3 === label ? 120 : 0));
}

/** Batches of images whose color tells the class; shuffled a new way each epoch when training. */
function source(images: number, batch: number, shuffle: boolean): BatchSource {
  const stepsPerEpoch = shuffle ? Math.floor(images / batch) : Math.ceil(images / batch);
  return {
    stepsPerEpoch,
    async *epoch(epoch, fromStep = 0) {
      const order = shuffle ? permutation(images, random(1, epoch)) : Int32Array.from({ length: images }, (_, i) => i);
      for (let step = fromStep; step < stepsPerEpoch; step++) {
        const real = order.subarray(step * batch, (step + 1) * batch);
        const indices = Int32Array.from({ length: batch }, (_, i) => real[i % real.length]!);
        const labels = indices.map((index) => index % 3);
        const data = new Uint8Array(batch * SIZE * SIZE * 3);
        indices.forEach((index, n) => {
          data.set(image(labels[n]!, index), n * SIZE * SIZE * 3);
        });
        yield { images: tensor([batch, SIZE, SIZE, 3], data), labels, indices, count: real.length } as LabeledBatch;
      }
    },
  };
}

interface Saved {
  last?: { state: StateDict; position: Position };
  best?: { state: StateDict; metrics: EpochMetrics };
  final?: { state: StateDict; metrics: EpochMetrics };
}

function memoryStore(): RunStore & { saved: Saved } {
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

const engine = await nodeWasmEngine({ threads: 1 });

function setUp(
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
    train: source(24, 6, true),
    val: source(10, 4, false),
    calibration: source(24, 6, false),
    trainImages: 24,
    valImages: 10,
    evalBatch: 4,
    calibrationBatch: 6,
    store: memoryStore(),
  };
}

async function collect(options: TrainOptions, each?: (event: RunEvent) => void): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of train(options)) {
    events.push(event);
    each?.(event);
  }
  return events;
}

function expectSameState(a: StateDict, b: StateDict): void {
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

describe('train', () => {
  it('learns, and reports every step and epoch', async () => {
    const options = setUp({ epochs: 12 });
    const events = await collect(options);
    expect(events[0]).toMatchObject({ type: 'start', epochs: 12, stepsPerEpoch: 4, trainImages: 24, valImages: 10 });
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(48);
    const epochs = events.flatMap((event) => (event.type === 'epoch' ? [event.metrics] : []));
    expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss);
    expect(epochs.at(-1)!.valTop1).toBeGreaterThanOrEqual(80);
    expect(events.at(-1)).toMatchObject({ type: 'end', metrics: epochs.at(-1), checkpoint: 'final' });
    expect(options.store.saved.last!.position).toMatchObject({ epoch: 12, step: 0, metrics: epochs });
    expect(options.store.saved.best!.metrics.valTop1).toBe(Math.max(...epochs.map(({ valTop1 }) => valTop1)));
  });

  it('goes on after an interruption, in the middle of an epoch, as if there had been none', async () => {
    const whole = setUp();
    await collect(whole);
    const first = setUp();
    const controller = new AbortController();
    const events = await collect({ ...first, signal: controller.signal }, (event) => {
      if (event.type === 'step' && event.epoch === 1 && event.step === 2) controller.abort();
    });
    expect(events.at(-1)).toEqual({ type: 'interrupted', epoch: 1, step: 2, checkpoint: 'last' });
    const { state, position } = first.store.saved.last!;
    const second = { ...setUp(), resume: { state, position } };
    const [start] = await collect(second);
    expect(start).toMatchObject({ type: 'start', resumedFrom: { epoch: 1, step: 2 } });
    expectSameState(second.store.saved.last!.state, whole.store.saved.last!.state);
    expectSameState(second.store.saved.final!.state, whole.store.saved.final!.state);
    const [a, b] = [whole, second].map(({ store }) =>
      store.saved.last!.position.metrics.map(({ seconds, imagesPerSecond, ...rest }) => rest),
    );
    expect(b).toEqual(a);
  });

  it('goes on with the same bits on the reference engine, through a checkpoint file', async () => {
    const reference = createReferenceEngine();
    const flags = { epochs: 2, batch_size: 6 };
    const whole = { ...setUp(flags), engine: reference };
    await collect(whole);
    const first = { ...setUp(flags), engine: reference };
    const controller = new AbortController();
    await collect({ ...first, signal: controller.signal }, (event) => {
      if (event.type === 'step' && event.step === 2) controller.abort();
    });
    const { state, position } = first.store.saved.last!;
    const { recipe, classes, preprocessing } = { ...first, preprocessing: DEFAULT_PREPROCESSING };
    const meta = { recipe, config: first.config, classes, preprocessing, seed: 0, ...position };
    const read = decodeCheckpoint(encodeCheckpoint({ meta, state })).state;
    const second = { ...setUp(flags), engine: reference, resume: { state: read, position } };
    await collect(second);
    expectSameState(second.store.saved.last!.state, whole.store.saved.last!.state);
  });

  it('can be interrupted before an evaluation, and finishes a run that only lacks its model', async () => {
    const first = setUp({ epochs: 1 });
    const controller = new AbortController();
    await collect({ ...first, signal: controller.signal }, (event) => {
      if (event.type === 'step' && event.step === 4) controller.abort();
    });
    expect(first.store.saved.last!.position).toMatchObject({ epoch: 0, step: 4 });
    const second = { ...setUp({ epochs: 1 }), resume: first.store.saved.last! };
    await collect(second);
    const third = { ...setUp({ epochs: 1 }), resume: second.store.saved.last! };
    const events = await collect(third);
    expect(events.map(({ type }) => type)).toEqual(['start', 'end']);
    expectSameState(third.store.saved.final!.state, second.store.saved.final!.state);
  });

  it('saves inside an epoch when asked to', async () => {
    const events = await collect(setUp({ epochs: 1, checkpoint_every: 1e-9 }));
    expect(events.filter(({ type }) => type === 'checkpoint')).toHaveLength(5);
  });

  it('stops when the loss is not a number, and keeps the last good checkpoint', async () => {
    const options = setUp({ lr: 1e18, checkpoint_every: 1e-9 });
    const error: UserError = await collect(options).then(
      () => expect.fail('nothing was thrown'),
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(/in epoch 1, step \d+, at a learning rate of \d+: training has diverged/);
    expect(error.hint).toContain('--lr 100000000000000000');
    for (const { data } of options.store.saved.last!.state.values()) expect(data.every(Number.isFinite)).toBe(true);
  });

  it('runs without average, recalibration, smoothing or momentum', async () => {
    const options = setUp({ epochs: 1, ema_decay: 0, recalibrate_images: 0, label_smoothing: 0, momentum: 0 });
    await collect(options);
    expect([...options.store.saved.last!.state.keys()].some((name) => name.startsWith('ema:'))).toBe(false);
    for (const [name, value] of options.store.saved.final!.state)
      expect(value.data).toEqual(options.store.saved.last!.state.get(name)!.data);
  });

  it('schedules per step', () => {
    const { recipe } = setUp({ warmup_epochs: 1 });
    expect(ratesAt(recipe, 4, 0)).toEqual({ lr: 0.01, weightDecay: 1e-4 });
    expect(ratesAt(recipe, 4, 4).lr).toBeCloseTo(0.05);
    expect(ratesAt(recipe, 4, 15).lr).toBeGreaterThan(0);
  });
});

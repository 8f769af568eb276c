/** The training loop on a tiny network and images made from their labels. */
import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/checkpoint/training-state.ts';
import { UserError } from '../../src/core/errors.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';
import { ratesAt } from '../../src/train/update.ts';
import { collect, expectSameState, setUp } from './cases/runs.ts';

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
    expect(error.message).toMatch(
      /beginning in "[\w.]+", in epoch 1, step \d+, at a learning rate of \d+: training has diverged/,
    );
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

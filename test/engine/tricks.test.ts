/** What recipes can ask of the loop beyond the paper's: each goes on with the same bits, and does what its name says. */
import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import type { LabeledBatch } from '../../src/evaluate/evaluate.ts';
import { averagePrecision } from '../../src/evaluate/multi-label.ts';
import { isLearnable } from '../../src/graph/graph.ts';
import { initialState } from '../../src/models/init.ts';
import { stageOf } from '../../src/models/mobileone.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import type { TrainOptions } from '../../src/train/loop.ts';
import { balancedWeights } from '../../src/train/target.ts';
import { type Teacher, teach } from '../../src/train/teacher.ts';
import { collect, expectSameState, setUp } from './cases/runs.ts';

type Flags = Partial<Record<keyof Recipe, unknown>>;

/** Answers 4 for the class that the colors say, 0 for the others. */
const teacher: Teacher = {
  description: 'a stub',
  async logits({ labels }: LabeledBatch) {
    const data = new Float32Array(labels.length * 3);
    labels.forEach((label, n) => {
      data[3 * n + label] = 4;
    });
    return { shape: [labels.length, 3], data };
  },
  close: async () => {},
};

const TRICKS: readonly { readonly name: string; readonly flags: Flags; readonly also?: Partial<TrainOptions> }[] = [
  { name: 'clipping', flags: { clip_grad: 0.5 } },
  { name: 'micro-batches', flags: { micro_batch_size: 3, lr: 0.02, epochs: 6 } },
  { name: 'micro-batches, clipping, adamw', flags: { micro_batch_size: 2, clip_grad: 0.5, optimizer: 'adamw' } },
  { name: 'frozen stages', flags: { freeze_stages: 3 } },
  { name: 'a frozen body', flags: { freeze_stages: 5, lr: 0.5 } },
  { name: 'fixed statistics', flags: { freeze_bn: true, lr: 0.2 } },
  { name: 'discriminative rates', flags: { layer_decay: 0.6, head_lr_scale: 3 } },
  { name: 'class weights', flags: { class_weights: 'balanced' }, also: { classCounts: [8, 8, 8] } },
  { name: 'binary cross-entropy', flags: { loss: 'bce', lr: 0.2 } },
  { name: 'a teacher, softly', flags: { teacher: 'stub', distill_temperature: 4 }, also: { teacher } },
  { name: 'a teacher, DIST', flags: { teacher: 'stub', distill: 'dist', distill_alpha: 0.5 }, also: { teacher } },
];

describe.each(TRICKS)('$name', ({ flags, also }) => {
  const begin = (): ReturnType<typeof setUp> => Object.assign(setUp({ epochs: 3, ...flags }), also);

  it('is bit-identical after an interruption, and learns', async () => {
    const whole = begin();
    await collect(whole);
    const first = begin();
    const controller = new AbortController();
    await collect({ ...first, signal: controller.signal }, (event) => {
      if (event.type === 'step' && event.epoch === 1 && event.step === 2) controller.abort();
    });
    const second = { ...begin(), resume: first.store.saved.last! };
    await collect(second);
    expectSameState(second.store.saved.last!.state, whole.store.saved.last!.state);
    expectSameState(second.store.saved.final!.state, whole.store.saved.final!.state);
    const { metrics } = whole.store.saved.last!.position;
    expect(metrics.at(-1)!.trainLoss).toBeLessThan(metrics[0]!.trainLoss);
  });
});

it('leaves frozen stages as they are, statistics included, and gives the whole train form back', async () => {
  const options = setUp({ epochs: 1, freeze_stages: 3, weight_decay: 0.1, weight_decay_end: 0.1 });
  await collect(options);
  const { final, last } = options.store.saved;
  const begun = initialState(options.model, options.recipe.seed);
  expect([...final!.state.keys()].sort()).toEqual(Object.keys(options.model.params).sort());
  for (const [name, { data }] of final!.state) {
    if (stageOf(name) < 3) {
      expect(data, name).toEqual(begun.get(name)!.data);
      expect(last!.state.has(`momentum:${name}`), name).toBe(false);
    } else if (isLearnable(options.model.params[name]!)) {
      expect(data, name).not.toEqual(begun.get(name)!.data);
    }
  }
});

it('updates by the mean gradient of micro-batches: with a frozen body, as of the whole batch', async () => {
  const flags = { epochs: 2, freeze_stages: 5, lr: 0.5, recalibrate_images: 0 };
  const [whole, parts] = [setUp(flags), setUp({ ...flags, micro_batch_size: 2 })];
  await collect(whole);
  await collect(parts);
  const head = Object.keys(whole.model.params).filter((name) => stageOf(name) === 5);
  expect(head).toHaveLength(2);
  for (const name of head) {
    const [a, b] = [whole, parts].map(({ store }) => store.saved.final!.state.get(name)!.data);
    for (let i = 0; i < a!.length; i++) expect(b![i]).toBeCloseTo(a![i]!, 5);
  }
  expect([...parts.store.saved.last!.state.keys()].some((name) => name.startsWith('grad_sum:'))).toBe(false);
});

it('ends early when validation no longer improves, with the best weights, and can be resumed into its end', async () => {
  const options = setUp({ epochs: 60, patience: 2, lr: 0.05 });
  const events = await collect(options);
  const epochs = events.filter(({ type }) => type === 'epoch').length;
  const { best, final, last } = options.store.saved;
  expect(epochs).toBeLessThan(60);
  expect(last!.position.epoch - 1 - last!.position.best!.epoch).toBe(2);
  expectSameState(final!.state, best!.state);
  expect(final!.metrics).toEqual(best!.metrics);
  expect(events.at(-2)).toMatchObject({
    type: 'note',
    message: expect.stringContaining('had not improved since epoch'),
  });
  const again = { ...setUp({ epochs: 60, patience: 2, lr: 0.05 }), resume: last! };
  again.store.saved.best = best!;
  expect((await collect(again)).map(({ type }) => type)).toEqual(['start', 'note', 'end']);
  expectSameState(again.store.saved.final!.state, best!.state);
});

it('learns several labels an image, measured by average precision', async () => {
  const options = setUp({ epochs: 12, loss: 'bce', lr: 0.5 });
  const several = (source: TrainOptions['train']): TrainOptions['train'] => ({
    ...source,
    async *epoch(...range) {
      for await (const batch of source.epoch(...range))
        yield { ...batch, labelSets: Array.from(batch.labels, (label) => (label === 2 ? [0, 1] : [label])) };
    },
  });
  await collect({ ...options, train: several(options.train), val: several(options.val) });
  const { metrics } = options.store.saved.last!.position;
  expect(metrics.at(-1)!.valMap).toBeGreaterThan(80);
  expect(options.store.saved.best!.metrics.valMap).toBe(Math.max(...metrics.map(({ valMap }) => valMap!)));
});

it('average precision is that of the ranking: 1 and ⅔ of two found at ranks 1 and 3', () => {
  const row = (logit: number, labels: number[]): { row: number[]; labels: number[] } => ({ row: [logit], labels });
  expect(averagePrecision([row(3, [0]), row(2, []), row(1, [0])], 0)).toBeCloseTo((100 * (1 + 2 / 3)) / 2);
  expect(averagePrecision([row(1, [0]), row(1, [])], 0)).toBeCloseTo(50);
  expect(averagePrecision([row(1, [])], 0)).toBeNaN();
});

it('balanced weights make classes count alike', () => {
  const counts = [90, 10, 0];
  const weights = balancedWeights(counts);
  expect(weights[0]! * 90).toBeCloseTo(weights[1]! * 10);
  expect((weights[0]! * 90 + weights[1]! * 10) / 100).toBeCloseTo(1);
});

describe('teach', () => {
  const model = {
    description: 'a stub',
    classes: ['blue', 'red', 'green'],
    size: 2,
    asked: 0,
    async run({ shape }: { readonly shape: readonly number[] }) {
      this.asked++;
      const n = shape[0]!;
      return { shape: [n, 3], data: Float32Array.from({ length: 3 * n }, (_, i) => i % 3) };
    },
    dispose: async () => {},
  };
  const images = tensor([2, 2, 2, 3], new Uint8Array(24));
  const batch = { images, labels: new Int32Array(2), indices: new Int32Array(2), count: 2 } as LabeledBatch;
  const options = { classes: ['red', 'green', 'blue'], stepsPerEpoch: 2, batchSize: 2 };

  it("orders logits by the student's classes", async () => {
    const { data } = await teach({ ...model }, options).logits(batch, 0, 0);
    expect([...data]).toEqual([1, 2, 0, 1, 2, 0]);
  });

  it('refuses other classes, and takes numbered ones as they come', async () => {
    expect(() => teach({ ...model, classes: ['a', 'b', 'c'] }, options)).toThrow('knows other classes');
    const { data } = await teach({ ...model, classes: ['0', '1', '2'] }, options).logits(batch, 0, 0);
    expect([...data]).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('asks once an epoch that was kept whole, and never keeps a part', async () => {
    const kept = new Map<number, Float32Array>();
    const cache = {
      read: async (epoch: number) => kept.get(epoch),
      write: async (epoch: number, logits: Float32Array) => {
        kept.set(epoch, logits);
      },
    };
    const asked = { ...model, asked: 0 };
    const one = teach(asked, { ...options, cache });
    await one.logits(batch, 0, 1); // resumed inside the epoch
    expect(kept.size).toBe(0);
    await one.logits(batch, 1, 0);
    await one.logits(batch, 1, 1);
    expect([...kept.keys()]).toEqual([1]);
    const again = teach(asked, { ...options, cache });
    expect([...(await again.logits(batch, 1, 1)).data]).toEqual([1, 2, 0, 1, 2, 0]);
    expect(asked.asked).toBe(3);
  });
});

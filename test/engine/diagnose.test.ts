/** The diagnosis of BN statistics: a model that has learned, its statistics spoiled in several ways, and what is said of it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../src/core/random.ts';
import { type StateDict, scalar, type Tensor } from '../../src/core/tensor.ts';
import { type Engine, loadState, readState } from '../../src/engine/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import type { LabeledBatch } from '../../src/evaluate/evaluate.ts';
import { initialState } from '../../src/models/init.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { trainStep } from '../../src/step/train-step.ts';
import { diagnose, type Finding, gainOf, marginOf, type Outcomes } from '../../src/train/diagnose.ts';
import { evaluateModes, type Mode } from '../../src/train/modes.ts';
import { calibrationGraph, recalibrate } from '../../src/train/recalibrate.ts';
import { smoothedTarget } from '../../src/train/target.ts';

const [SIZE, BATCH, CLASSES] = [32, 16, 3];
const graph = withPreprocess(
  mobileOne({
    ...{ depths: [1, 1, 1, 1], widths: [0.125, 0.125, 0.125, 0.125], se_blocks: [0, 0, 0, 0] },
    ...{ num_conv_branches: 2, num_classes: CLASSES, in_chans: 3, rd_divisor: 8 },
  }),
  { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
);

/** Noisy squares whose strongest channel is their class; `change` acts on every value. */
function batches(seed: number, count: number, change = (value: number): number => value) {
  return async function* (): AsyncGenerator<LabeledBatch> {
    for (let b = 0; b < count; b++) {
      const rng = random(seed, b);
      const labels = Int32Array.from({ length: BATCH }, () => rng.int(CLASSES));
      const bytes = SIZE * SIZE * 3;
      const data = Uint8Array.from({ length: BATCH * bytes }, (_, i) => {
        const strong = i % 3 === labels[Math.floor(i / bytes)] ? 45 : 0;
        return Math.max(0, Math.min(255, change(80 + strong + rng.int(80))));
      });
      const images: Tensor = { shape: [BATCH, SIZE, SIZE, 3], data };
      yield { images, labels, indices: Int32Array.from({ length: BATCH }, (_, i) => b * BATCH + i), count: BATCH };
    }
  };
}

let engine: Engine;
let learned: StateDict;
beforeAll(async () => {
  engine = await nodeWasmEngine({ threads: 1 });
  const dims = { N: BATCH, H: SIZE, W: SIZE };
  const step = await engine.compile(trainStep(graph, CLASSES, { momentum: 0.9, nesterov: false, ema: false }), {
    dims,
  });
  loadState(step, initialState(graph, 0));
  for await (const { images, labels } of batches(1, 60)()) {
    const target = smoothedTarget(labels, CLASSES, 0);
    const rates = { lr: scalar(0.05), weight_decay: scalar(0), bn_momentum: scalar(0.1) };
    await step.run({ image: images, target, ...rates });
  }
  const state = readState(step, Object.keys(graph.params));
  await step.dispose();
  const calibration = await engine.compile(calibrationGraph(graph), { dims });
  learned = (await recalibrate(calibration, graph, state, batches(2, 10)()))!;
  await calibration.dispose();
});

/** Every running mean and variance changed. */
function spoiled(mean: (value: number) => number, variance: (value: number) => number): StateDict {
  return new Map(
    [...learned].map(([name, { shape, data }]) => {
      const change = name.endsWith('running_mean') ? mean : name.endsWith('running_var') ? variance : undefined;
      return [name, { shape, data: change ? Float32Array.from(data, change) : data }];
    }),
  );
}

async function findingOf(state: StateDict, images = batches(3, 12), own = false): Promise<Finding> {
  const modes = await evaluateModes({
    ...{ engine, graph, state, classes: CLASSES, size: SIZE, batch: BATCH, images },
    calibration: own ? undefined : batches(2, 10),
  });
  const outcomes = Object.fromEntries(
    (Object.keys(modes) as Mode[]).map((mode) => [mode, modes[mode]!.predictions.map((p) => p.label === p.predicted)]),
  ) as unknown as Outcomes;
  return diagnose(outcomes, { guessing: 1 / CLASSES, batch: BATCH });
}

describe('a model that has learned', () => {
  it('is sound as it is', async () => {
    expect((await findingOf(learned)).name).toBe('sound');
  });

  it('has stale statistics when they are spoiled', async () => {
    const state = spoiled(
      (value) => 0.3 * value,
      (value) => 4 * value + 1,
    );
    const finding = await findingOf(state);
    expect(finding.name).toBe('stale-statistics');
    expect(finding.text).toContain('train mode agrees');
    expect((await findingOf(state, undefined, true)).name).toBe('stale-or-shifted');
  });

  it('meets shifted data when the light is another', async () => {
    const dark = batches(3, 12, (value) => 0.2 * value);
    expect((await findingOf(learned, dark)).name).toBe('data-shift');
  });

  it('has not learned when its weights are random', async () => {
    expect((await findingOf(initialState(graph, 5))).name).toMatch('not-learned');
  });
});

describe('the verdict', () => {
  /** So many of 200 right, the first ones or the last. */
  const right = (count: number, last = false): boolean[] =>
    Array.from({ length: 200 }, (_, i) => (last ? 199 - i : i) < count);
  const setting = { guessing: 0.1, batch: 8 };
  const cases: readonly (readonly [string, Outcomes])[] = [
    ['batch-dependence', { train: right(180), eval: right(80), recalibrated: right(82), adapted: right(84) }],
    ['data-shift', { train: right(180), eval: right(80), recalibrated: right(82), adapted: right(170) }],
    ['stale-statistics', { train: right(60), eval: right(80), recalibrated: right(160), adapted: right(160) }],
    ['unfit-recalibration', { train: right(150), eval: right(160), recalibrated: right(90), adapted: right(158) }],
    ['noisy-batches', { train: right(100), eval: right(160), recalibrated: right(161) }],
    ['sound', { train: right(158), eval: right(160), recalibrated: right(163) }],
    ['not-learned', { train: right(20), eval: right(24), recalibrated: right(18) }],
    ['too-few-images', { train: right(100), eval: right(110, true), recalibrated: right(105) }],
    ['too-few-images', { train: [true], eval: [false], recalibrated: [true] }],
  ];
  it.each(cases)('%s', (name, outcomes) => {
    expect(diagnose(outcomes, setting).name).toBe(name);
  });

  it('counts a difference only beyond sampling error', () => {
    expect(gainOf(right(160), right(155))).toBe(0);
    expect(gainOf(right(160), right(140))).toBe(10);
    // The same totals on other images: many flips hide a small difference.
    expect(gainOf(right(110), right(100, true))).toBe(0);
    expect(marginOf(right(100))).toBeCloseTo(6.9, 1);
    expect(marginOf(right(200))).toBeGreaterThan(0);
  });
});

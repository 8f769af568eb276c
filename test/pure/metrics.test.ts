import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import type { Program } from '../../src/engine/engine.ts';
import { calibrationOf } from '../../src/evaluate/calibration.ts';
import { classAccuracy, evaluate, mostConfused, worstMistakes } from '../../src/evaluate/evaluate.ts';
import { addToMean, crossEntropy, meanOf, NO_MEAN, rankOf, softmax, topK } from '../../src/evaluate/metrics.ts';
import { answersOf, averagePrecisions, probabilitiesOf, wrongAnswers } from '../../src/evaluate/multi-label.ts';

describe('metrics', () => {
  it('ranks labels, the lower index first among equals and NaN last', () => {
    expect(rankOf([1, 3, 2], 1)).toBe(0);
    expect(rankOf([1, 3, 2], 0)).toBe(2);
    expect(rankOf([5, 5, 5], 2)).toBe(2);
    expect(rankOf([Number.NaN, Number.NaN], 0)).toBe(2);
    expect(topK([1, 3, 2, 3], 3)).toEqual([1, 3, 2]);
  });

  it('computes softmax and cross entropy without overflow', () => {
    expect([...softmax([1000, 1000])]).toEqual([0.5, 0.5]);
    expect(crossEntropy([1000, 0], 0)).toBeCloseTo(0);
    expect(crossEntropy([0, 0, 0, 0], 2)).toBeCloseTo(Math.log(4));
  });

  it('keeps weighted means', () => {
    const mean = addToMean(addToMean(NO_MEAN, 1, 3), 5, 1);
    expect(meanOf(mean)).toBe(2);
    expect(meanOf(NO_MEAN)).toBe(0);
  });
});

describe('evaluate', () => {
  // The "program" returns the first pixels of each image as its logits.
  const program = {
    run: async ({ image }: Record<string, { data: ArrayLike<number>; shape: readonly number[] }>) => {
      const n = image!.shape[0]!;
      return { logits: tensor([n, 3], Float32Array.from(image!.data)) };
    },
  } as unknown as Program;
  const batch = (rows: number[][], labels: number[], indices: number[], count = rows.length) => ({
    images: tensor([rows.length, 1, 1, 3], Uint8Array.from(rows.flat())),
    labels: Int32Array.from(labels),
    indices: Int32Array.from(indices),
    count,
  });
  const batches = [
    batch(
      [
        [9, 0, 0],
        [0, 9, 0],
      ],
      [0, 0],
      [0, 1],
    ),
    batch(
      [
        [0, 0, 5],
        [9, 9, 0],
      ],
      [1, 0],
      [2, 0],
      1,
    ),
  ];

  it('counts real samples only, and finds the mistakes', async () => {
    const result = (await evaluate(program, batches, 3))!;
    expect(result.images).toBe(3);
    expect(result.top1).toBeCloseTo(100 / 3);
    expect(result.top5).toBe(100);
    expect([...result.confusion]).toEqual([1, 1, 0, 0, 0, 1, 0, 0, 0]);
    expect(result.loss).toBeCloseTo(
      (crossEntropy([9, 0, 0], 0) + crossEntropy([0, 9, 0], 0) + crossEntropy([0, 0, 5], 1)) / 3,
    );
    expect(worstMistakes(result.predictions).map(({ index }) => index)).toEqual([1, 2]);
    expect(mostConfused(result.confusion, 3)).toEqual([
      { label: 1, predicted: 2, count: 1, share: 100 },
      { label: 0, predicted: 1, count: 1, share: 50 },
    ]);
    expect(classAccuracy(result.confusion, 3)).toEqual([50, 0, Number.NaN]);
  });

  it('stops when told to', async () => {
    expect(await evaluate(program, batches, 3, AbortSignal.abort())).toBeUndefined();
  });
});

describe('calibration', () => {
  const some = (count: number, right: number, confidence: number) =>
    Array.from({ length: count }, (_, i) => ({ label: 0, predicted: i < right ? 0 : 1, confidence }));

  it('weighs the gap of every bin by its images', () => {
    const { ece, overconfidence, bins } = calibrationOf([...some(30, 15, 0.9), ...some(10, 10, 0.5)]);
    expect(bins).toHaveLength(15);
    expect(bins.filter(({ count }) => count > 0).map(({ count, accuracy }) => [count, accuracy])).toEqual([
      [10, 1],
      [30, 0.5],
    ]);
    expect(ece).toBeCloseTo((30 * 40 + 10 * 50) / 40);
    expect(overconfidence).toBeCloseTo((30 * 40 - 10 * 50) / 40);
  });

  it('puts the ends into the first and last bin', () => {
    const { bins, ece } = calibrationOf([...some(1, 1, 1), ...some(1, 0, 0)]);
    expect([bins[0]!.count, bins[14]!.count, ece]).toEqual([1, 1, 0]);
    expect(calibrationOf([]).ece).toBe(0);
  });
});

describe('several labels an image', () => {
  // Logits of ln 3 are 75 %, of −ln 3 25 %.
  const [yes, no] = [Math.log(3), -Math.log(3)];
  const rows = [
    { row: [yes, no, 0], labels: [0, 1] },
    { row: [no, no, -9], labels: [] },
    { row: [-1, yes, 4], labels: [0] },
  ];

  it('judges every class of every image on its own', () => {
    const { classes, images, mean } = averagePrecisions(rows, 3);
    expect(images).toEqual([2, 1, 0]);
    expect(classes[2]).toBeNaN();
    expect(mean).toBeCloseTo((classes[0]! + classes[1]!) / 2);
    expect([...probabilitiesOf(rows[0]!.row, true)]).toEqual([0.75, 0.25, 0.5].map((p) => expect.closeTo(p, 10)));
    expect(probabilitiesOf(rows[0]!.row, false).reduce((a, b) => a + b)).toBeCloseTo(1);
  });

  it('finds the surest wrong answers, and calibrates all of them', () => {
    expect(wrongAnswers(rows).map(({ at, class: one, has }) => [at, one, has])).toEqual([
      [2, 2, false],
      [0, 1, true],
      [2, 1, false],
      [2, 0, true],
    ]);
    const { bins } = calibrationOf(answersOf(rows), 2);
    expect(bins.map(({ count }) => count)).toEqual([6, 3]);
    expect(bins[1]).toMatchObject({ accuracy: expect.closeTo(1 / 3, 10) });
  });
});

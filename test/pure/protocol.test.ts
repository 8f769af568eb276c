/** The measuring protocol, on numbers whose summary is known; clocks are made up, nothing is timed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clockTick, driftOf, noiseOf } from '../../src/bench/noise.ts';
import {
  boundedProtocol,
  MODEL_BENCH,
  protocolHash,
  shortProtocol,
  summarizeRounds,
} from '../../src/bench/protocol.ts';
import { random } from '../../src/core/random.ts';

test('the lowest and highest runs of a round do not count for the mean, but for minimum and median', () => {
  const round = [100, 3, 5, 4, 1];
  expect(summarizeRounds([round], 1)).toEqual({
    ...{ mean: 4, minimum: 1, median: 4, interval: [4, 4], runs: 5, roundMeans: [4] },
  });
  expect(summarizeRounds([round, [9, 9, 9, 9, 9]], 1)).toMatchObject({
    ...{ mean: 6.5, minimum: 1, median: 9, runs: 10, roundMeans: [4, 9] },
  });
});

test("the interval is Student's", () => {
  // Means 1 … 5: mean 3, standard error √(2.5 / 5); t(4) = 2.776.
  const { mean, interval } = summarizeRounds([[1], [2], [3], [4], [5]], 0);
  expect(mean).toBe(3);
  expect(interval[1] - mean).toBeCloseTo(2.776 * Math.sqrt(0.5), 3);
  // 20 rounds: t(19) = 2.093.
  const twenty = summarizeRounds(
    Array.from({ length: 20 }, (_, i) => [i % 2]),
    0,
  );
  expect(twenty.interval[1] - 0.5).toBeCloseTo(2.093 * Math.sqrt(5 / 19 / 20), 3);
});

test('a fifth of outliers at either end changes the mean by nothing, in any order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 50, max: 1e6, noNaN: true }), { maxLength: 10 }),
      fc.nat(),
      (outliers, seed) => {
        const rng = random(seed);
        const round = [...Array.from({ length: 50 - outliers.length }, () => 8), ...outliers];
        const shuffled = round.map((value) => [rng.uniform(), value] as const).sort(([a], [b]) => a - b);
        expect(summarizeRounds([shuffled.map(([, value]) => value)], 10).mean).toBe(8);
      },
    ),
    { numRuns: 50 },
  );
});

test('of known distributions the interval covers the mean about 19 times in 20', () => {
  const rng = random(7);
  const trials = 400;
  let covered = 0;
  for (let trial = 0; trial < trials; trial++) {
    const rounds = Array.from({ length: 20 }, () => Array.from({ length: 10 }, () => 10 + rng.normal()));
    const [low, high] = summarizeRounds(rounds, 2).interval;
    covered += Number(low <= 10 && high >= 10);
  }
  expect(covered / trials).toBeGreaterThan(0.92);
  expect(covered / trials).toBeLessThan(0.98);
});

test('a round that trimming would empty is refused', () => {
  expect(() => summarizeRounds([[1, 2]], 1)).toThrow(/more than 2 runs/);
  expect(() => summarizeRounds([], 0)).toThrow(RangeError);
});

test("the default is Apple's, shorter ones cut the same share, and every protocol has its own name", () => {
  expect(MODEL_BENCH).toMatchObject({ rounds: 20, runsPerRound: 50, trim: 10 });
  expect(shortProtocol(20, 50)).toEqual(MODEL_BENCH);
  expect(shortProtocol(5, 10)).toEqual({ warmup: 10, rounds: 5, runsPerRound: 10, trim: 2 });
  expect(protocolHash(MODEL_BENCH)).toMatch(/^[0-9a-f]{8}$/);
  expect(protocolHash(MODEL_BENCH)).not.toBe(protocolHash(shortProtocol(5, 10)));
});

test("a bounded protocol fits its time, has a run at least, and no more than Apple's", () => {
  for (const ms of [0, 0.1, 3, 40, 300]) {
    const { warmup, rounds, runsPerRound, trim } = boundedProtocol(2000, ms);
    expect(runsPerRound).toBeLessThanOrEqual(MODEL_BENCH.runsPerRound);
    expect(runsPerRound).toBeGreaterThan(2 * trim);
    expect((warmup + rounds * runsPerRound) * ms).toBeLessThanOrEqual(2000);
  }
  expect(boundedProtocol(2000, 1e4)).toMatchObject({ runsPerRound: 1, trim: 0 });
});

test('noise is told: an interval too wide, drift either way, a clock too coarse; calm measurements are not blamed', () => {
  const rounds = (of: (i: number) => number) => Array.from({ length: 20 }, (_, i) => [of(i), of(i), of(i)]);
  const rng = random(3);
  const calm = summarizeRounds(
    rounds(() => 10 + 0.1 * rng.normal()),
    1,
  );
  expect(noiseOf(calm)).toEqual([]);
  expect(noiseOf(calm, 1)).toEqual([expect.stringMatching(/clock here ticks every 1 ms/)]);
  const wild = summarizeRounds(
    rounds(() => 10 + 4 * rng.uniform() ** 8 + 4 * rng.normal()),
    1,
  );
  expect(noiseOf(wild)[0]).toMatch(/only known to ± \d/);
  const warming = summarizeRounds(
    rounds((i) => 10 + 0.15 * i),
    1,
  );
  expect(noiseOf(warming)).toEqual([expect.stringMatching(/became 20 % slower/)]);
  const cooling = summarizeRounds(
    rounds((i) => 12 - 0.1 * i),
    1,
  );
  expect(noiseOf(cooling)).toEqual([expect.stringMatching(/became 1\d %? ?.*faster/)]);
  // A drift within the scatter of the rounds may be chance, and seven rounds are too few to tell.
  expect(driftOf([9, 12, 9, 12, 10, 10, 10, 13])).toBe(0);
  expect(driftOf([1, 1, 1, 2, 2, 2, 2])).toBe(0);
});

test('the tick of a clock is its smallest step', () => {
  let reading = 0;
  expect(clockTick(() => Math.floor(reading++ / 7) * 0.5)).toBe(0.5);
  expect(clockTick(() => 3)).toBe(0);
});

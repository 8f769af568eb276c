/** The measuring protocol, on numbers whose summary is known. */
import { expect, test } from 'vitest';
import { describeDevice } from '../../src/bench/device-node.ts';
import { type Measurement, measure, ratio, type Subject } from '../../src/bench/measure.ts';
import {
  boundedProtocol,
  MODEL_BENCH,
  protocolHash,
  shortProtocol,
  summarizeRounds,
} from '../../src/bench/protocol.ts';

test('the lowest and highest runs of a round do not count for the mean, but for minimum and median', () => {
  const round = [100, 3, 5, 4, 1];
  expect(summarizeRounds([round], 1)).toEqual({ mean: 4, minimum: 1, median: 4, interval: [4, 4], runs: 5 });
  expect(summarizeRounds([round, [9, 9, 9, 9, 9]], 1)).toMatchObject({ mean: 6.5, minimum: 1, median: 9, runs: 10 });
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

test('rounds of all subjects alternate; what was opened is closed, also after an error', async () => {
  const log: string[] = [];
  const subject = (name: string, fails = false): Subject => ({
    name,
    runtime: 'none',
    threads: 1,
    open: async () => ({
      run: async () => {
        if (fails) throw new Error('broken');
        log.push(name);
      },
      dispose: async () => {
        log.push(`${name} closed`);
      },
    }),
  });
  const heard: string[] = [];
  const rows = await measure(
    [subject('a'), subject('b')],
    { warmup: 0, rounds: 2, runsPerRound: 2, trim: 0 },
    (done, all) => heard.push(`${done}/${all}`),
  );
  expect(log.join(' ')).toBe('a b a a b b a a b b a closed b closed');
  expect(heard).toEqual(['1/2', '2/2']);
  expect(rows.map(({ name, runs }) => [name, runs])).toEqual([
    ['a', 4],
    ['b', 4],
  ]);
  log.length = 0;
  await expect(measure([subject('a'), subject('b', true)], shortProtocol(1, 1))).rejects.toThrow('broken');
  expect(log.filter((line) => line.endsWith('closed'))).toEqual(['a closed', 'b closed']);
});

test('results of different protocols refuse to be compared', () => {
  const row = (mean: number, protocol: string): Measurement => ({
    ...{ name: 'x', runtime: '', threads: 1, coldStart: 0, firstRun: 0, runs: 1 },
    ...{ mean, minimum: mean, median: mean, interval: [mean, mean] as const, protocol },
  });
  expect(ratio(row(6, 'a'), row(2, 'a'))).toBe(3);
  expect(() => ratio(row(6, 'a'), row(2, 'b'))).toThrow(/different protocols/);
});

test('the device has a fingerprint', () => {
  const device = describeDevice();
  expect(device).toMatchObject({ node: process.version, fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/) });
  expect(describeDevice()).toEqual(device);
});

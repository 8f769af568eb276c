/** Measuring, comparing and soaking on made-up clocks: nothing is timed. */
import { expect, test } from 'vitest';
import { compareMeasurements, comparisonText } from '../../src/bench/compare.ts';
import { type Measurement, measure, relativeDifference, type Subject } from '../../src/bench/measure.ts';
import { MODEL_BENCH, protocolHash, requireOneProtocol, shortProtocol } from '../../src/bench/protocol.ts';
import { slowdown, soak, soakText, soakWindow } from '../../src/bench/soak.ts';
import { bootstrapInterval } from '../../src/bench/statistics.ts';
import { UserError } from '../../src/core/errors.ts';
import { random } from '../../src/core/random.ts';

/** A subject that takes the next of its times at every run, on a clock of its own. */
function clocked(
  name: string,
  clock: { now: number },
  time: (run: number) => number,
  outputs?: readonly number[],
): Subject {
  let run = 0;
  return {
    ...{ name, key: 'wasm', runtime: 'none', settings: '', threads: 1, load: 7 },
    open: async () => {
      clock.now += 100;
      return {
        run: async () => {
          clock.now += time(run++);
          return outputs;
        },
        dispose: async () => {},
      };
    },
  };
}

test('cold start, first run and steady state are kept apart', async () => {
  const clock = { now: 5 };
  const slowFirst = (run: number): number => (run === 0 ? 50 : run <= 3 ? 20 : 4);
  const [row] = await measure(
    [clocked('a', clock, slowFirst)],
    { warmup: 3, rounds: 2, runsPerRound: 3, trim: 0 },
    {
      clock: () => clock.now,
    },
  );
  expect(row).toMatchObject({ load: 7, compile: 100, coldStart: 107, firstRun: 50, mean: 4, minimum: 4, runs: 6 });
  expect(row!.noise).toEqual([]);
});

test('what disturbs a machine in the middle hits subjects alike, so their ratio stays', async () => {
  const clock = { now: 0 };
  const busy = (): number => (clock.now > 3000 && clock.now < 6000 ? 2 : 1);
  const rows = await measure(
    [clocked('slow', clock, () => 12 * busy()), clocked('fast', clock, () => 6 * busy())],
    shortProtocol(20, 10),
    { clock: () => clock.now },
  );
  expect(rows[0]!.noise[0]).toMatch(/only known to/);
  const { ratio, interval, inTurn } = compareMeasurements(rows[0]!, rows[1]!);
  expect(Math.abs(ratio - 2)).toBeLessThan(0.1);
  expect(interval[0]).toBeGreaterThan(1.75);
  expect(interval[1]).toBeLessThan(2.2);
  expect(inTurn).toBe(true);
  // Taken apart, the same rounds say far less.
  const apart = compareMeasurements(rows[0]!, rows[1]!, false);
  expect(apart.interval[1] - apart.interval[0]).toBeGreaterThan(3 * (interval[1] - interval[0]));
});

test('rounds of all subjects alternate; what was opened is closed, also after an error', async () => {
  const log: string[] = [];
  const subject = (name: string, fails = false): Subject => ({
    ...{ name, key: 'wasm', runtime: 'none', settings: '', threads: 1, load: 0 },
    open: async () => ({
      run: async () => {
        if (fails) throw new Error('broken');
        log.push(name);
        return undefined;
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
    { onRound: (done, all) => heard.push(`${done}/${all}`) },
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
  // Where someone hears of it, the others go on.
  const refused: string[] = [];
  const left = await measure([subject('b', true), subject('a')], shortProtocol(1, 1), {
    onRefused: ({ name }, error) => refused.push(`${name}: ${(error as Error).message}`),
  });
  expect([refused, left.map(({ name }) => name)]).toEqual([['b: broken'], ['a']]);
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await expect(measure([subject('a')], shortProtocol(1, 1), { signal: stop.signal })).rejects.toThrow('enough');
});

test('outputs are compared with those of the first subject', async () => {
  const clock = { now: 0 };
  const same = (outputs: readonly number[]) => clocked('x', clock, () => 1, outputs);
  const rows = await measure([same([1, -4]), same([1, -4]), same([1, -2])], shortProtocol(1, 1), {
    clock: () => clock.now,
  });
  expect(rows.map(({ difference }) => difference)).toEqual([undefined, 0, 0.5]);
  expect(relativeDifference([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
});

const row = (mean: number, protocol: string, roundMeans: readonly number[] = [mean]) => ({
  mean,
  protocol,
  roundMeans,
});

test('results of different protocols refuse to be compared', () => {
  expect(compareMeasurements(row(6, 'a'), row(2, 'a')).ratio).toBe(3);
  expect(() => compareMeasurements(row(6, 'a'), row(2, 'b'))).toThrow(UserError);
  expect(() => requireOneProtocol([row(1, 'a'), row(1, 'a'), row(1, 'c')])).toThrow(/different protocols \(a, c\)/);
});

test('the bootstrap interval of a mean is about that of the textbook, and the same each time', () => {
  const rng = random(11);
  const values = Array.from({ length: 40 }, () => 5 + rng.normal());
  const mean = values.reduce((a, b) => a + b) / values.length;
  const statistic = (indices: readonly number[] = []): number =>
    indices.reduce((sum, i) => sum + values[i]!, 0) / indices.length;
  const [low, high] = bootstrapInterval([values.length], statistic);
  expect(bootstrapInterval([values.length], statistic)).toEqual([low, high]);
  const textbook = (2 * 1.96) / Math.sqrt(40);
  expect(high - low).toBeGreaterThan(0.7 * textbook);
  expect(high - low).toBeLessThan(1.3 * textbook);
  expect(low < mean && mean < high).toBe(true);
});

test('a comparison is told as what it is', () => {
  const say = (ratio: number, interval: readonly [number, number], inTurn = true): string =>
    comparisonText('A', 'B', { ratio, interval, inTurn });
  expect(say(2, [1.9, 2.1])).toBe('B is 2.00 times as fast as A (95 %: 1.90 – 2.10, measured in turn).');
  expect(say(0.5, [0.4, 0.8])).toBe('A is 2.00 times as fast as B (95 %: 1.25 – 2.50, measured in turn).');
  expect(say(1.1, [0.9, 1.3])).toMatch(/can't be told apart/);
  expect(say(2, [1.9, 2.1], false)).toMatch(/at different times/);
});

test('a soak is a curve of windows, minutes where it is long, and says what heat did', async () => {
  const clock = { now: 1000 };
  // 30 ms a run; after three minutes 45.
  const hot = clocked('fused', clock, () => (clock.now > 1000 + 180_000 ? 45 : 30));
  const heard: number[] = [];
  const soaked = await soak(hot, {
    seconds: 300,
    clock: () => clock.now,
    onWindow: ({ to }) => heard.push(Math.round(to)),
  });
  expect(heard).toEqual([60, 120, 180, 240, 300]);
  expect(soaked.windows.map(({ median }) => median)).toEqual([30, 30, 30, 45, 45]);
  expect(soaked.windows[0]!.runs).toBe(2000);
  expect(slowdown(soaked)).toBe(1.5);
  expect(soakText(soaked)).toMatch(/ends 50 % slower/);
  expect([soakWindow(600), soakWindow(300), soakWindow(10)]).toEqual([60, 60, 2]);
});

test('a soak of runs longer than its windows has no empty ones, and one that is ended keeps what it has', async () => {
  const clock = { now: 0 };
  const slow = await soak(
    clocked('x', clock, () => 4000),
    { seconds: 10, clock: () => clock.now },
  );
  expect(slow.windows.map(({ runs }) => runs)).toEqual([1, 1, 1]);
  expect(soakText(slow)).toMatch(/as fast at the end/);
  const stop = new AbortController();
  const ended = await soak(
    clocked('x', clock, () => 100),
    {
      ...{ seconds: 10, clock: () => clock.now, signal: stop.signal },
      onWindow: () => stop.abort(),
    },
  );
  expect(ended.windows).toHaveLength(1);
  expect(soakText(ended)).toMatch(/nothing can be said/);
});

test('a measurement is one row for reports', async () => {
  const clock = { now: 0 };
  const [one] = await measure([clocked('fused', clock, () => 2)], MODEL_BENCH, { clock: () => clock.now });
  expect(one satisfies Measurement | undefined).toMatchObject({
    mean: 2,
    interval: [2, 2],
    protocol: protocolHash(MODEL_BENCH),
  });
});

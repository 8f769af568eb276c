/** Results: what is accepted, how it is written, and how it is put in order. */
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { describeDevice } from '../../src/bench/device-node.ts';
import type { Measurement } from '../../src/bench/measure.ts';
import { MODEL_BENCH, protocolHash } from '../../src/bench/protocol.ts';
import { type Row, sessionRows, TABLES, type TableName } from '../../src/bench/results/columns.ts';
import { csvText } from '../../src/bench/results/csv.ts';
import { seriesOf } from '../../src/bench/results/history.ts';
import { decodeRows, encodeRows } from '../../src/bench/results/parquet.ts';
import { makeSession, parseSession, type Session } from '../../src/bench/results/session.ts';
import { openResults, resultsFolder } from '../../src/bench/results/store-node.ts';

const folder = await mkdtemp(join(tmpdir(), 'results-'));
afterAll(() => rm(folder, { recursive: true }));

const measurement = (mean: number, threads = 1, runtime = 'wasm, SIMD'): Measurement => ({
  ...{ name: 'fused', key: 'wasm', runtime, settings: '6×8 tile', threads, load: 5, compile: 20, coldStart: 25 },
  ...{ firstRun: 9, mean, minimum: mean - 1, median: mean, interval: [mean - 0.5, mean + 0.5], runs: 1000 },
  ...{ roundMeans: [mean - 0.25, mean + 0.25], protocol: protocolHash(MODEL_BENCH), noise: ['a "loud" fan, mostly'] },
});

const session = (...measurements: Measurement[]): Session =>
  makeSession({
    model: { name: 's0', hash: '0123456789abcdef', size: 224, batch: 1, macs: 275e6, parameters: 2_078_504 },
    protocol: MODEL_BENCH,
    device: describeDevice(),
    measurements,
    soaks: [
      {
        ...{
          name: 'fused',
          key: 'wasm',
          runtime: 'wasm, SIMD',
          settings: '',
          threads: 1,
          seconds: 120,
          windowSeconds: 60,
        },
        windows: [0, 60].map((from) => ({ from, to: from + 60, runs: 4000, mean: 15, median: 14.5, minimum: 14 })),
      },
    ],
    notes: ['litert is not measured: …'],
  });

test('a session survives being written and read', () => {
  const one = session(measurement(14), measurement(8, 2));
  expect(parseSession(JSON.stringify(one))).toEqual(one);
  expect(one.id).not.toBe(session().id);
});

/** Every path into a value, to its leaves. */
function paths(value: unknown, path: readonly string[] = []): string[][] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return [[...path], ...inner.flatMap(([key, item]) => paths(item, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = replaced((value as Record<string, unknown>)[key], rest, by);
  return copy;
}

test('a session from elsewhere is refused wherever a value is of another kind, with the place', () => {
  const one = session(measurement(14));
  const wrong: readonly unknown[] = [null, -1, Number.NaN, {}, 'x'.repeat(500), 'bell\u0007', [[]], '\u001b[2J'];
  for (const path of paths(one)) {
    for (const value of wrong) {
      const text = JSON.stringify(replaced(one, path, value));
      expect(() => parseSession(text), `${path.join('.')} = ${JSON.stringify(value)}`).toThrow(
        /not a result of mobileone bench/,
      );
    }
  }
  expect(() => parseSession(JSON.stringify({ ...one, extra: 1 }))).toThrow(/result.extra is not a known field/);
  expect(() => parseSession('{"format":')).toThrow(/JSON/);
  expect(() => parseSession(JSON.stringify({ ...one, version: 2 }))).toThrow(/update yours/);
});

test('any text at all is refused in words', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(() => parseSession(text)).toThrow(/not a result of mobileone bench/);
    }),
    { numRuns: 100 },
  );
});

test('every table comes back from Parquet as it went in', async () => {
  const rows = sessionRows(session(measurement(14), measurement(8.123456789, 2)));
  for (const table of ['measurements', 'minutes'] as const) {
    expect(Object.keys(rows[table][0]!).sort()).toEqual(Object.keys(TABLES[table]).sort());
    expect(await decodeRows(table, await encodeRows(table, rows[table]))).toEqual(rows[table]);
  }
  // A column of a later version is left out, one that is missing is empty.
  const older = rows.minutes.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'gpu')));
  expect(await decodeRows('minutes', await encodeRows('minutes', older as Row[]))).toEqual(rows.minutes);
});

test('CSV is quoted by the rules, and harmless in spreadsheets', () => {
  const [row] = sessionRows(session(measurement(14))).measurements;
  const lines = csvText('measurements', [{ ...row!, cpu: '=HYPERLINK("x")' }]).split('\n');
  expect(lines[0]!.split(',')).toEqual(Object.keys(TABLES.measurements));
  expect(lines[1]).toContain('"a ""loud"" fan, mostly"');
  expect(lines[1]).toContain(`"'=HYPERLINK(""x"")"`);
  expect(lines[1]).toContain('13.75 14.25');
  expect(lines).toHaveLength(3);
});

test('the store reads what was added, and goes around files that are broken or not its own', async () => {
  const results = openResults(join(folder, 'store'));
  expect(await results.read('measurements')).toEqual({ rows: [], unreadable: [] });
  const sessions = [session(measurement(14)), session(measurement(13), measurement(7, 2))];
  for (const one of sessions) await results.add(one);
  const place = join(results.folder, 'measurements');
  const { rows } = await results.read('measurements');
  expect(rows.map((row) => row.session)).toEqual([sessions[0]!.id, sessions[1]!.id, sessions[1]!.id]);
  expect((await results.read('minutes')).rows).toHaveLength(4);
  // What a killed process leaves, a file of another program, and one that a bad disk cut.
  await writeFile(join(place, '.2026.parquet.999999-0.tmp'), 'half');
  await writeFile(join(place, 'notes.txt'), 'mine');
  const [first] = (await readdir(place)).filter((name) => /^2.*parquet$/.test(name)).sort();
  await truncate(join(place, first!), 100);
  const after = await results.read('measurements');
  expect(after.rows).toHaveLength(2);
  expect(after.unreadable).toEqual([{ path: join(place, first!), reason: expect.any(String) }]);
  expect(await results.append('layers' satisfies TableName, [])).toBeUndefined();
});

test('series hold what can be compared: equal machine, model, image, runtime, threads and protocol', () => {
  const at = (mean: number, threads = 1): Row => sessionRows(session(measurement(mean, threads))).measurements[0]!;
  const other = { ...at(9), model: 's1', model_hash: 'ffff00000000' };
  const rows = [at(14), at(8, 2), at(14.2), { ...at(20), protocol: '00000000' }, at(18), other];
  const series = seriesOf(rows);
  expect(series.map(({ points }) => points.map(({ row }) => row.mean_ms))).toEqual([[14, 14.2, 18], [8], [20], [9]]);
  const [, second, third] = series[0]!.points;
  expect(second).toMatchObject({ sure: false, change: 14.2 / 14 });
  expect(third).toMatchObject({ sure: true });
  expect(seriesOf(rows, 's1')).toHaveLength(1);
  expect(seriesOf(rows, 'ffff0000')).toHaveLength(1);
  expect(seriesOf(rows, 's9')).toEqual([]);
});

test('results lie where the system keeps the data of programs, or where MOBILEONE_RESULTS says', () => {
  expect(resultsFolder({ MOBILEONE_RESULTS: '/x' }, 'linux')).toBe('/x');
  expect(resultsFolder({ XDG_DATA_HOME: '/data' }, 'linux')).toBe(join('/data', 'mobileone', 'results'));
  expect(resultsFolder({}, 'linux')).toMatch(/\.local.share.mobileone.results$/);
  expect(resultsFolder({}, 'darwin')).toMatch(/Application Support.mobileone.results$/);
  expect(resultsFolder({ LOCALAPPDATA: 'C:\\local' }, 'win32')).toContain('C:\\local');
});

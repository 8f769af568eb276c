/** `mobileone bench` in this process: what it keeps, and how it is asked for it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Session } from '../../src/bench/results/session.ts';
import { openResults } from '../../src/bench/results/store-node.ts';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/main.ts';
import { saveTinyModel } from '../tiny-model.ts';

const folder = await mkdtemp(join(tmpdir(), 'bench-'));
afterAll(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const stored = openResults(at('results'));

const TINY = at('tiny.safetensors');
await saveTinyModel(TINY);

/** Runs `mobileone bench <args>`. */
async function bench(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const lines = { out: '', err: '' };
  const io: Io = {
    out: (line) => {
      lines.out += `${line}\n`;
    },
    err: (line) => {
      lines.err += `${line}\n`;
    },
    ...{ raw: () => {}, terminal: false, columns: () => 200, env: { MOBILEONE_RESULTS: stored.folder } },
    ...{ onInterrupt: () => () => {}, quit: () => {} },
  };
  return { code: await run(['bench', ...args], io), ...lines };
}

const SHORT = ['--rounds', '8', '--runs', '5'];
let first: Session & { comparison: { ratio: number; interval: [number, number]; inTurn: boolean } };

it('compares two runtimes in turn and keeps both', async () => {
  const { code, out } = await bench(TINY, ...SHORT, '--compare', 'wasm,ort-node@2', '--json');
  expect(code).toBe(0);
  first = JSON.parse(out);
  expect(first.measurements.map(({ key, threads }) => `${key}@${threads}`)).toEqual(['wasm@1', 'ort-node@2']);
  const { ratio, interval, inTurn } = first.comparison;
  expect(inTurn).toBe(true);
  expect(interval[0] <= ratio * 1.001 && interval[1] >= ratio * 0.999).toBe(true);
  const { rows } = await stored.read('measurements');
  expect(rows.map(({ model, runtime, threads }) => [model, runtime, threads])).toEqual([
    [TINY, 'wasm', 1],
    [TINY, 'ort-node', 2],
  ]);
});

it('shows history, compares what is kept, and refuses what was measured otherwise', async () => {
  const again = await bench(TINY, ...SHORT, '--runtime', 'wasm');
  expect(again.out).toMatch(/Kept in .*results \(session [0-9a-f]{6}\)/);
  const other = await bench(TINY, '--rounds', '3', '--runs', '5', '--runtime', 'wasm');
  expect(other.code).toBe(0);
  const history = await bench('--history');
  expect(history.out).toMatch(/tiny\.safetensors, 32 px +fused +wasm@1/);
  expect(history.out).toMatch(/[+-]\d+\.\d %/);
  const id = (n: number): string => `${first.id.slice(0, 6)}-${n}`;
  const inTurn = await bench('--compare', `${id(1)},${id(2)}`);
  expect(inTurn.out).toMatch(/measured in turn/);
  const { rows } = await stored.read('measurements');
  const [apart, different] = [8, 3].map(
    (count) => rows.findLast((row) => row.form === 'fused' && row.rounds === count)!,
  );
  const elsewhere = await bench('--compare', `${id(1)},${apart!.id}`);
  expect(elsewhere.out).toMatch(/at different times/);
  const refused = await bench('--compare', `${id(1)},${different!.id}`);
  expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/different protocols/)]);
  expect((await bench('--history', 's7')).err).toMatch(/Nothing is kept of s7.\nThere is .*tiny/);
});

it('soaks, and predicts from a table of layers that grows', async () => {
  const soaked = await bench(TINY, '--soak', '1s');
  expect(soaked.out).toMatch(/until +runs/);
  expect((await stored.read('minutes')).rows.length).toBeGreaterThanOrEqual(4);
  interface Predicted {
    readonly prediction: {
      readonly milliseconds: number;
      readonly measured: number;
      readonly unknown: readonly string[];
    };
    readonly error: number;
    readonly layers: { readonly known: number; readonly timed: number };
  }
  const args = [TINY, ...SHORT, '--predict', '--json'];
  const one = JSON.parse((await bench(...args)).out) as Predicted;
  expect(one.prediction).toMatchObject({ measured: 1, unknown: [] });
  expect(one.prediction.milliseconds).toBeGreaterThan(0);
  expect(one.layers).toMatchObject({ known: 0, timed: expect.any(Number) });
  const two = JSON.parse((await bench(...args)).out) as Predicted;
  expect(two.layers).toEqual({ known: one.layers.timed, timed: 0 });
});

it('exports everything as CSV and takes a result in, once', async () => {
  const { out } = await bench('--export', at('all.csv'));
  expect(out).toMatch(/all\.csv: \d+ rows\n.*all-minutes\.csv: \d+ rows\n.*all-layers\.csv: \d+ rows\n/);
  expect(await readFile(at('all.csv'), 'utf8')).toMatch(/^id,session,time,model,/);
  const id = 'feedfacefeedface';
  await writeFile(at('phone.json'), JSON.stringify({ ...withoutComparison(first), id }));
  const taken = await bench('--import', at('phone.json'));
  expect(taken.out).toMatch(/1 image of 32 px[\s\S]*Kept in/);
  expect((await bench('--import', at('phone.json'))).out).toMatch(/is kept already/);
  const { rows } = await stored.read('measurements');
  expect(rows.filter((row) => row.session === id)).toHaveLength(2);
  await writeFile(at('broken.json'), '{"format":"mobileone-bench"}');
  const broken = await bench('--import', at('broken.json'));
  expect([broken.code, broken.err]).toEqual([1, expect.stringMatching(/not a result of mobileone bench/)]);
});

it('measures a transformer on every runtime there is, at its own size', async () => {
  const { out } = await bench('mobilevit_xxs', '--rounds', '1', '--runs', '1', '--no-save', '--json');
  const { model, measurements, notes } = JSON.parse(out) as Session;
  expect(model.size).toBe(256);
  expect(measurements.map(({ name, key }) => `${name}: ${key}`)).toEqual(
    ['wasm', 'ort-node', 'ort-web', 'litert'].map((key) => `fused: ${key}`),
  );
  for (const { difference = 0 } of measurements) expect(difference).toBeLessThan(1e-4);
  expect(notes).toEqual([]);
});

it('measures a network of the zoo, which has no train form, on every runtime there is', async () => {
  const { out } = await bench('mobilenetv3_small_100', '--size', '32', '--rounds', '1', '--runs', '1', '--no-save');
  expect(out).toContain('mobilenetv3_small_100, 1 image of 32 px');
  for (const name of ['wasm', 'onnxruntime-node', 'onnxruntime-web', 'LiteRT\\.js'])
    expect(out).toMatch(new RegExp(`^fused +${name}`, 'm'));
  expect(out).not.toContain('not measured');
  expect(out).not.toContain('differs');
  expect(out).not.toContain('train form');
});

it('explains wrong usage, and keeps nothing with --no-save', async () => {
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [[], 2, /Say what to measure/],
    [[TINY, '--runtime', 'ort-nod'], 2, /Did you mean ort-node\?/],
    [[TINY, '--compare', 'wasm'], 2, /takes two/],
    [[TINY, '--compare', 'wasm@1,wasm'], 2, /the same twice/],
    [[TINY, '--soak', 'long'], 2, /a time like/],
    [[TINY, '--lan'], 2, /--lan goes with --phone/],
    [[TINY, '--threads', '0'], 2, /whole number/],
    [['--export', 'x.xlsx'], 2, /\.csv or \.parquet/],
    [[TINY, '--runtime', 'ort-webnn'], 1, /in browsers only/],
    [['s9'], 1, /There is no variant/],
    [['pit_ti_224', '--size', '192'], 2, /takes images of 224 × 224 only\..*Leave --size away/s],
    [['mobilevit_s', '--size', '224'], 2, /multiples of 64 pixels, and not 224\..*e\.g\. 256/s],
  ];
  const results = await Promise.all(cases.map(([args]) => bench(...args)));
  for (const [i, [args, code, message]] of cases.entries()) {
    expect(results[i]!.err, args.join(' ')).toMatch(message);
    expect(results[i]!.code, args.join(' ')).toBe(code);
  }
  const before = (await stored.read('measurements')).rows.length;
  const unsaved = await bench(TINY, '--rounds', '1', '--runs', '1', '--runtime', 'wasm', '--no-save');
  expect(unsaved.out).not.toMatch(/Kept/);
  expect((await stored.read('measurements')).rows.length).toBe(before);
});

function withoutComparison(session: Session & { comparison?: unknown }): Session {
  const { comparison, ...rest } = session;
  return rest as Session;
}

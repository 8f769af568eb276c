/** The measuring of studies with runtimes that take no time: what is refused, kept, and gone on with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { describeDevice } from '../../src/bench/device-node.ts';
import { protocolHash, shortProtocol } from '../../src/bench/protocol.ts';
import { openResults } from '../../src/bench/results/store-node.ts';
import type { LoadedRuntime, RuntimeTable } from '../../src/bench/runtimes.ts';
import { UserError } from '../../src/core/errors.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { modelConfig } from '../../src/models/registry.ts';
import { type MeasurerOptions, measurer } from '../../src/studies/measure-node.ts';
import { loadSides } from '../../src/studies/open-runtimes.ts';
import type { Candidate } from '../../src/studies/study.ts';

const folder = await mkdtemp(join(tmpdir(), 'study-'));
afterAll(() => rm(folder, { recursive: true }));
const device = describeDevice();

/** So many networks of different width, which are never run in earnest. */
const candidates = (count: number): Candidate[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `tiny-${i}`,
    size: 32,
    build: () =>
      mobileOne(modelConfig('s0', { depths: [1, 1, 1, 1], widths: [0.125, 0.125, 0.125, 0.125], num_classes: i + 2 }), {
        name: `tiny-${i}`,
      }),
  }));

/** Runtimes that answer at once; `opened` hears what is opened, `ort-node` refuses tiny-1, `litert` is not here. */
function runtimes(opened: (classes: number) => void = () => {}): RuntimeTable {
  const fake = (name: string): LoadedRuntime => ({
    ...{
      runtime: `${name} 1.0`,
      settings: '',
      ...(name === 'ort-node' ? { mostThreads: 1, why: 'it is a fake' } : {}),
    },
    async open({ state }) {
      const classes = state.get('head.fc.bias')!.shape[0]!;
      opened(classes);
      if (name === 'ort-node' && classes === 3) throw new Error('three classes are too many\nand more lines');
      return { run: async () => new Float32Array(classes), dispose: async () => {} };
    },
  });
  const none = async (): Promise<LoadedRuntime> => {
    throw new UserError('LiteRT.js is not installed.', 'Install it.');
  };
  return {
    ...{ wasm: async () => fake('wasm'), 'ort-node': async () => fake('ort-node'), litert: none, 'ort-web': none },
    ...{ 'ort-webgpu': none, 'ort-webnn': none, 'litert-webgpu': none },
  };
}

const options = (parts: Partial<MeasurerOptions> = {}): MeasurerOptions => ({
  ...{ table: runtimes(), runtimes: ['wasm', 'ort-node', 'litert'], threads: [1, 2], device, seconds: 1 },
  ...parts,
});

it('measures in groups with the reference, by one protocol, and keeps each group', async () => {
  const results = openResults(join(folder, 'groups'));
  let chosen = '';
  const measure = measurer(
    options({
      results,
      onProtocol: async (protocol) => {
        chosen = protocolHash(protocol);
      },
    }),
  );
  const all = candidates(9);
  const { rows, refused, notes, protocol } = await measure(all);
  expect(chosen).toBe(protocolHash(protocol));
  const wasm = rows.filter(({ runtime }) => runtime === 'wasm');
  expect(wasm.map(({ name, threads }) => `${name}@${threads}`)).toEqual(
    [1, 2].flatMap((threads) => all.map(({ name }) => `${name}@${threads}`)),
  );
  expect(rows.filter(({ runtime }) => runtime === 'ort-node').length).toBe(8);
  expect(refused).toEqual([{ name: 'tiny-1', runtime: 'ort-node', threads: 1, reason: 'three classes are too many' }]);
  expect(notes.join('\n')).toContain('ort-node is not measured with 2 threads: it is a fake.');
  expect(notes.join('\n')).toContain('litert is not measured: LiteRT.js is not installed. Install it.');
  for (const { mean, reference, interval } of rows)
    expect([mean, reference, ...interval].every(Number.isFinite)).toBe(true);
  const kept = (await results.read('measurements')).rows;
  const sessions = [...new Set(kept.map(({ session }) => session))];
  expect(sessions.length).toBe(2 * 3);
  for (const session of sessions) {
    const group = kept.filter((row) => row.session === session).sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
    expect(group[0]).toMatchObject({ model: 'mobileone_s0', form: 'fused', size: 224, difference: null });
    expect(new Set(group.map(({ id }) => id)).size).toBe(group.length);
  }
  expect(new Set(kept.map((row) => row.protocol))).toEqual(new Set([chosen]));
}, 60_000);

it('ended in the midst, it keeps what is done, and goes on there', async () => {
  const results = openResults(join(folder, 'resumed'));
  const all = candidates(9);
  const since = new Date();
  const protocol = shortProtocol(3, 5);
  const stop = new AbortController();
  let groups = 0;
  const counting = {
    ...results,
    append: async (...args: Parameters<typeof results.append>) => {
      const path = await results.append(...args);
      if (++groups === 1) stop.abort(new Error('enough'));
      return path;
    },
  };
  const only = { runtimes: ['wasm'], threads: [1], protocol } as const;
  await expect(measurer(options({ ...only, results: counting, signal: stop.signal }))(all)).rejects.toThrow('enough');
  const { rows: kept } = await results.read('measurements');
  expect(kept.map(({ model }) => model)).toEqual(['mobileone_s0', ...all.slice(0, 7).map(({ name }) => name)]);
  const opened: number[] = [];
  const again = measurer(
    options({ ...only, results, earlier: { since, rows: kept }, table: runtimes((classes) => opened.push(classes)) }),
  );
  const { rows } = await again(all);
  expect(rows.map(({ name }) => name)).toEqual(all.map(({ name }) => name));
  // The reference, and the two networks that were missing.
  expect(opened).toEqual([1000, 9, 10]);
  const other = measurer(
    options({
      ...only,
      protocol: shortProtocol(4, 5),
      earlier: { since, rows: kept },
      table: runtimes((classes) => opened.push(classes)),
    }),
  );
  await other(all.slice(0, 1));
  expect(opened.slice(3)).toEqual([1000, 2]);
}, 60_000);

it('where nothing runs it says why', async () => {
  const nothing = measurer(options({ runtimes: ['litert'] }))(candidates(1));
  await expect(nothing).rejects.toMatchObject({
    message: 'Nothing can be measured here.',
    hint: expect.stringContaining('not installed'),
  });
  const refusing = measurer(options({ runtimes: ['ort-node'], threads: [1] }))(candidates(2).slice(1));
  await expect(refusing).rejects.toMatchObject({
    message: 'Nothing could be measured here.',
    hint: 'three classes are too many',
  });
}, 60_000);

it('says where WebAssembly runtimes differ in the width of their vectors', async () => {
  const notesOf = async (runtime: string): Promise<string> => {
    const [wasm, web] = [await runtimes().wasm(), await runtimes()['ort-node']()];
    const table = { ...runtimes(), wasm: async () => ({ ...wasm, runtime }), 'ort-web': async () => web };
    return (await loadSides(table, ['wasm', 'ort-web'], [1])).notes.join();
  };
  expect(await notesOf('wasm, relaxed SIMD, 256 bit')).toMatch(/256 bits; ort-web .* 128/);
  expect(await notesOf('wasm, relaxed SIMD, 128 bit')).toBe('');
});

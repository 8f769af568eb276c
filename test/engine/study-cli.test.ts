/** `mobileone study` in this process: what it writes, replaces and refuses. */

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openResults } from '../../src/bench/results/store-node.ts';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/main.ts';
import { checkStudyFolder } from '../../src/cli/study-folder.ts';

const folder = await mkdtemp(join(tmpdir(), 'study-'));
afterAll(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const stored = openResults(at('results'));

/** Runs `mobileone study <args>`; `interrupt` gets the handler of Ctrl-C. */
async function study(args: readonly string[], interrupt: (handler: (count: number) => void) => void = () => {}) {
  const lines = { out: '', err: '' };
  const io: Io = {
    out: (line) => {
      lines.out += `${line}\n`;
    },
    err: (line) => {
      lines.err += `${line}\n`;
    },
    ...{ raw: () => {}, terminal: false, columns: () => 200, env: { MOBILEONE_RESULTS: stored.folder } },
    onInterrupt: (handler) => {
      interrupt(handler);
      return () => {};
    },
    quit: () => {},
  };
  return { code: await run(['study', ...args], io), ...lines };
}

const SHORT = ['--quick', '--runtime', 'wasm', '--nets', 'mobileone_u0,mobilenetv3_small_100', '--minutes', '0.02'];

it('lists the studies with their questions', async () => {
  const { code, out } = await study([]);
  expect(code).toBe(0);
  expect(out).toMatch(/^correlation +Do FLOPs or parameters tell/m);
  expect(JSON.parse((await study(['--json'])).out).map(({ name }: { name: string }) => name)).toContain('platforms');
});

it('measures, writes a whole folder, and replaces that of an earlier run only', async () => {
  const { code, out, err } = await study(['platforms', ...SHORT, '--out', at('a'), '--json']);
  expect(err).toBe('');
  expect(code).toBe(0);
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.at(-1)).toMatchObject({ type: 'done', study: 'platforms', out: at('a') });
  expect((await readdir(at('a'))).sort()).toEqual([...events.at(-1).files].sort());
  const csv = await readFile(join(at('a'), 'beside-the-paper.csv'), 'utf8');
  expect(csv).toMatch(/^network,top1,wasm_1_ms,wasm_1_ci_ms,paper_iphone_ms,paper_cpu_ms,paper_gpu_ms\n/);
  expect(csv).toMatch(/^mobilenetv3_small_100,67\.4,[\d.]+,[\d.]+,0\.83,10\.38,3\.74$/m);
  const { rows } = await stored.read('measurements');
  expect(rows.map(({ model }) => model)).toEqual(['mobileone_s0', 'mobilenetv3_small_100', 'mobileone_u0']);
  expect(existsSync(join(stored.folder, 'studies', 'platforms.json'))).toBe(false);

  expect((await study(['platforms', ...SHORT, '--out', at('a'), '--no-save'])).code).toBe(0);
  expect((await stored.read('measurements')).rows.length).toBe(3);
  const other = await study(['correlation', ...SHORT, '--out', at('a')]);
  expect([other.code, other.err]).toEqual([1, expect.stringContaining('holds the study "platforms"')]);
  await writeFile(join(at('a'), 'mine.txt'), 'mine');
  const foreign = await study(['platforms', ...SHORT, '--out', at('a')]);
  expect([foreign.code, foreign.err]).toEqual([1, expect.stringContaining('mine.txt')]);
  await mkdir(at('b'));
  await writeFile(join(at('b'), 'other.txt'), 'mine');
  expect((await study(['platforms', ...SHORT, '--out', at('b')])).err).toContain('holds other files');
}, 120_000);

it('interrupted, it says how to go on, and goes on', async () => {
  const out = ['--out', at('c')];
  let stop: ((count: number) => void) | undefined;
  const begun = study(['platforms', ...SHORT, ...out], (handler) => {
    stop = handler;
  });
  while (!existsSync(join(stored.folder, 'studies', 'platforms.json')))
    await new Promise((done) => setTimeout(done, 5));
  stop?.(1);
  const { code, err } = await begun;
  expect([code, err]).toEqual([130, expect.stringContaining('mobileone study platforms --resume goes on')]);
  expect(existsSync(at('c'))).toBe(false);
  expect((await study(['platforms', ...SHORT, ...out, '--resume'])).code).toBe(0);
  expect(existsSync(join(at('c'), 'report.html'))).toBe(true);
  const nothing = await study(['platforms', ...SHORT, ...out, '--resume']);
  expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining('There is no unfinished study "platforms"')]);
}, 120_000);

it('refuses what it does not know before it measures', async () => {
  const refusals: readonly (readonly [string[], string])[] = [
    [['platform'], 'Did you mean platforms?'],
    [['platforms', '--nets', 'mobileone_s9'], 'Did you mean mobileone_s'],
    [['platforms', '--runtime', 'wasn'], 'Did you mean wasm?'],
    [['platforms', '--minutes', 'ten'], '--minutes must be a number'],
    [['platforms', '--resume', '--no-save'], 'nothing to go on with'],
  ];
  for (const [args, text] of refusals) {
    const { code, err } = await study([...args, '--out', at('never')]);
    expect([code, err]).toEqual([2, expect.stringContaining(text)]);
  }
  expect(existsSync(at('never'))).toBe(false);
});

it('refuses a folder that can not be made before it measures, and leaves nothing of the trial', async () => {
  await writeFile(at('file'), '');
  const { code, err } = await study(['platforms', ...SHORT, '--out', `${at('file')}/in/it`]);
  expect([code, err]).toEqual([1, expect.stringContaining('a part of the path is a file')]);
  await checkStudyFolder(`${at('new')}/and/deep`, 'platforms');
  expect(existsSync(at('new'))).toBe(false);
});

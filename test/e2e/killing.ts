/** Kills training runs, from outside at a moment or from inside at a step of a write, and compares what they end with. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { Random } from '../../src/core/random.ts';
import { type Result, type Started, start } from './cli-process.ts';

/** Where a write of `writeAtomic` can be cut: file opened, half of it written, all of it, synced, renamed. */
export const STAGES = ['opened', 'half', 'written', 'synced', 'renamed'] as const;
export type Stage = (typeof STAGES)[number];

/**
 * Where a process kills itself: at a stage of its `nth` write (the first by default) of a file by this name, or, with no
 * file, as an evaluation takes its `nth` batch.
 */
export type Cut = readonly [file: string, stage: Stage | 'evaluating', nth?: number];

/** A module that, loaded first, kills the process at a stage of a write, as a power cut would. */
const HOOK = `import { syncBuiltinESMExports } from 'node:module';
import promises from 'node:fs/promises';
import { basename } from 'node:path';
const [file, stage, nth = 1] = JSON.parse(process.env.CUT);
const { open, rename } = promises;
let writes = 0;
const die = () => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
};
const isIt = (path) => basename(String(path)).startsWith('.' + file + '.') && String(path).endsWith('.tmp');
promises.open = async (path, ...rest) => {
  const handle = await open(path, ...rest);
  if (!isIt(path) || ++writes !== nth) return handle;
  if (stage === 'opened') await die();
  const [write, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)];
  handle.writeFile = async (bytes) => {
    if (stage !== 'half') return await write(bytes);
    await write(bytes.slice(0, bytes.length >> 1));
    await die();
  };
  handle.sync = () => (stage === 'written' ? die() : sync());
  return handle;
};
promises.rename = async (from, to) => {
  const now = isIt(from) && writes === nth;
  if (now && stage === 'synced') await die();
  await rename(from, to);
  if (now && stage === 'renamed') await die();
};
syncBuiltinESMExports();
const { setTimeout } = globalThis;
let batches = 0;
globalThis.setTimeout = (...args) => {
  if (stage === 'evaluating' && / breathing /.test(new Error().stack) && ++batches === nth) die();
  return setTimeout(...args);
};
`;

/** A run that is killed and begun or resumed, again and again. `args` begin it. */
export interface Victim {
  readonly folder: string;
  readonly args: readonly string[];
  readonly run: string;
  readonly env?: Record<string, string>;
}

/** Starts the run, or goes on with it once it has a checkpoint. */
export function beginOrResume({ folder, args, run, env }: Victim, more: Record<string, string> = {}): Started {
  const resumes = existsSync(join(folder, run, 'checkpoints', 'last.safetensors'));
  const all = resumes ? ['train', '--resume', run, '--json'] : [...args, '--out', run, '--json'];
  return start(folder, all, { ...env, ...more });
}

/** Lets the run kill itself within a write. */
export async function cutWithin(victim: Victim, cut: Cut): Promise<Result> {
  const hook = join(victim.folder, 'cut.mjs');
  writeFileSync(hook, HOOK);
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}`, CUT: JSON.stringify(cut) };
  const result = await beginOrResume(victim, env).done;
  expect(result.code, `not killed at ${cut}:\n${result.err}`).toBe(null);
  return result;
}

/** Kills the run a while (up to `spanMs`, drawn) after its output matches; false when it had ended before. */
export async function killAfter(victim: Victim, pattern: RegExp, rng: Random, spanMs = 0): Promise<boolean> {
  const started = beginOrResume(victim);
  await started.until(pattern);
  await new Promise((resolve) => setTimeout(resolve, spanMs * rng.uniform()));
  started.child.kill('SIGKILL');
  return (await started.done).code === null;
}

/** Goes on to the end, and expects what an uninterrupted run left, bit by bit. */
export async function expectSameEnd(victim: Victim, whole: string, message = ''): Promise<void> {
  const { code, err } = await beginOrResume(victim).done;
  expect(code, `${message} ${err}`).toBe(0);
  expectSameFiles(victim.folder, victim.run, whole, message);
}

/** Expects two runs to have the same files, the same weights in them and no more. */
export function expectSameFiles(folder: string, run: string, whole: string, message = ''): void {
  const read = (of: string, ...names: string[]): Buffer => readFileSync(join(folder, of, ...names));
  for (const names of [['model.safetensors'], ['fused.safetensors'], ['checkpoints', 'best.safetensors']])
    expect(read(run, ...names).equals(read(whole, ...names)), `${names.at(-1)} ${message}`).toBe(true);
  const weights = (of: string) => decodeSafetensors(read(of, 'checkpoints', 'last.safetensors')).tensors;
  const expected = weights(whole);
  const found = weights(run);
  expect([...found.keys()], message).toEqual([...expected.keys()]);
  for (const [name, { data }] of expected) {
    const bytes = ({ buffer, byteOffset, byteLength }: typeof data) => Buffer.from(buffer, byteOffset, byteLength);
    expect(bytes(found.get(name)!.data).equals(bytes(data)), `${name} of last.safetensors ${message}`).toBe(true);
  }
  // All but speed and time.
  const metrics = (of: string): string[][] =>
    read(of, 'metrics.csv')
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split(',').slice(0, 8));
  expect(metrics(run), message).toEqual(metrics(whole));
  for (const part of ['', 'checkpoints'])
    expect(readdirSync(join(folder, run, part)).sort(), message).toEqual(readdirSync(join(folder, whole, part)).sort());
}

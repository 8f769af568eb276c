/** Kills an export while it writes its bundle, at one of the steps in which it changes the disk. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { start } from './cli-process.ts';

/** The step after which a bundle has its name. */
export const LAST_RENAME = -1;

/** A module that, loaded first, ends the process (as a power cut would) before its nth step in a hidden folder; it prints how many there were. */
const HOOK = `import { syncBuiltinESMExports } from 'node:module';
import promises from 'node:fs/promises';
const last = Number(process.env.KILL_AT);
let steps = 0;
const die = () => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
};
const step = (path) => (/[\\\\/]\\.[^\\\\/]*-bundle\\./.test(String(path)) && steps++ === last ? die() : undefined);
const { open, mkdir, rename } = promises;
promises.mkdir = async (path, ...rest) => (await step(path), await mkdir(path, ...rest));
promises.open = async (path, ...rest) => {
  await step(path);
  const handle = await open(path, ...rest);
  const [write, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)];
  handle.writeFile = async (bytes) => (await step(path), await write(bytes));
  handle.sync = async () => (await step(path), await sync());
  return handle;
};
promises.rename = async (from, to) => {
  await step(from);
  await step(to);
  await rename(from, to);
  if (last === ${LAST_RENAME} && /\\.tmp$/.test(from)) await die();
};
syncBuiltinESMExports();
process.on('exit', () => console.error('steps ' + steps));
`;

async function exportWith(folder: string, model: string, killAt: number, title: string) {
  const hook = join(folder, 'kill.mjs');
  writeFileSync(hook, HOOK);
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}`, KILL_AT: String(killAt) };
  return await start(folder, ['export', model, '--to', 'onnx,safetensors', '--title', title], env).done;
}

/** Exports twice, to the end; returns the number of steps in which the second, which replaces the first, changed the disk. */
export async function countSteps(folder: string, model: string): Promise<number> {
  let steps = 0;
  for (let round = 0; round < 2; round++) {
    const { code, err } = await exportWith(folder, model, Number.NaN, 'One');
    expect(code, err).toBe(0);
    steps = Number(/^steps (\d+)$/m.exec(err)![1]);
  }
  return steps;
}

/** Exports and is killed before the nth step. */
export async function killExport(folder: string, model: string, step: number, title: string): Promise<void> {
  const { code, err } = await exportWith(folder, model, step, title);
  expect(code, `not killed at ${step}: ${err}`).toBe(null);
}

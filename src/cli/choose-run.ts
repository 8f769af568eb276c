/** Which folder a run is in: a new one's, or the one to go on with. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../core/errors.ts';
import { isRunFolder, type RunFiles, runFiles } from './run-folder.ts';
import { summarizeRun } from './run-summary.ts';

const DATA_ENDING = /\.(csv|tsv|jsonl|ndjson|zip|tar|parquet)$/i;

/** Chooses a new run's folder: the one named, which must be new or empty, or the first free `runs/DATA-VARIANT-N`. */
export async function chooseRunFolder(out: string | undefined, data: string, variant: string): Promise<RunFiles> {
  if (out === undefined) {
    const name = `${basename(resolve(data))
      .replace(DATA_ENDING, '')
      .replace(/[^\w.-]+/g, '-')}-${variant}`;
    for (let n = 1; ; n++) {
      const folder = join('runs', `${name}-${n}`);
      if (!existsSync(folder)) return runFiles(folder);
    }
  }
  if (existsSync(out)) {
    const folder = (await stat(out)).isDirectory();
    const run = folder && isRunFolder(out);
    if (!folder || ((await readdir(out)).length > 0 && !(await isUnstarted(out))))
      throw new UserError(
        `${out} already exists${run ? ' and holds a run' : ''}.`,
        run ? `Go on with it by mobileone train --resume ${out}, or name another --out.` : 'Name another --out.',
      );
  }
  return runFiles(out);
}

/**
 * Whether a folder holds only what a run wrote that ended before its first checkpoint (killed, or the disk was full):
 * nothing is lost when the same command begins again in it.
 */
async function isUnstarted(folder: string): Promise<boolean> {
  const { recipe, events, tensorboard, last } = runFiles(folder);
  if (!isRunFolder(folder) || existsSync(last)) return false;
  const own = [recipe, events, tensorboard, dirname(last)].map((path) => basename(path));
  const names = [...(await readdir(folder)), ...(await readdir(dirname(last)).catch(() => []))];
  if (!names.every((name) => own.includes(name) || /^\..*\.tmp$/.test(name))) return false;
  return (await summarizeRun(folder)).state !== 'running';
}

/** The run in runs/ whose checkpoint is the newest; throws a UserError when there is none. */
export async function latestRun(): Promise<string> {
  const names = await readdir('runs').catch(() => []);
  const runs = await Promise.all(
    names.map(async (name) => {
      const folder = join('runs', name);
      return { folder, time: (await stat(runFiles(folder).last).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  const latest = runs.filter(({ time }) => time > 0).sort((a, b) => b.time - a.time)[0];
  if (latest) return latest.folder;
  throw new UserError('There is no run to resume in runs/.', 'Name its folder: mobileone train --resume RUN.');
}

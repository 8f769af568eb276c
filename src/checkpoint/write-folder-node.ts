/** Writing a folder of files whole or not at all. */
import { existsSync } from 'node:fs';
import { type FileHandle, open, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { makeFolder } from '../core/folder-node.ts';
import { asWriteError, isAlive, syncFolder } from './write-node.ts';

/** The operations that change the disk; tests put failing ones here. */
export interface FolderSteps {
  mkdir(path: string): Promise<string | undefined>;
  open(path: string, flags: string): Promise<Pick<FileHandle, 'writeFile' | 'sync' | 'close'>>;
  rename(from: string, to: string): Promise<void>;
}

const STEPS: FolderSteps = { mkdir: makeFolder, open, rename };

/** What this process is writing just now. */
const active = new Set<string>();
let writes = 0;

/**
 * Writes a folder so that, whatever happens, the path holds the earlier folder or the whole new one: the files (by path
 * inside it, with slashes) go into a hidden folder beside it, are synced, and the folder is renamed. Two folders can't
 * change places in one step, so a process that is killed between the two renames leaves the earlier folder, whole, under
 * its hidden name; `settleFolder` puts it back, which the next write does by itself. Throws a UserError when the disk refuses.
 */
export async function writeFolder(
  path: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  steps: FolderSteps = STEPS,
): Promise<void> {
  const target = await resolved(path);
  const parent = dirname(target);
  const name = `.${basename(target)}.${process.pid}-${writes++}`;
  const [temporary, earlier] = ['tmp', 'old'].map((ending) => join(parent, `${name}.${ending}`)) as [string, string];
  let made: string | undefined;
  active.add(name);
  try {
    made = await steps.mkdir(parent);
    await settleFolder(target);
    await writeFiles(temporary, files, steps);
    const replaces = existsSync(target);
    if (replaces) await steps.rename(target, earlier);
    try {
      await steps.rename(temporary, target);
    } catch (error) {
      // Another write may have come between; then its folder is the one that stays.
      if (replaces && existsSync(target)) await rm(earlier, { recursive: true, force: true });
      else if (replaces) await rename(earlier, target);
      throw error;
    }
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    await removeEmpty(parent, made);
    throw asWriteError(error, path);
  } finally {
    active.delete(name);
  }
  await syncFolder(parent);
  await rm(earlier, { recursive: true, force: true }).catch(() => undefined);
}

/** The absolute path; of a link, of what it points to. */
const resolved = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));

async function writeFiles(
  folder: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  steps: FolderSteps,
): Promise<void> {
  const folders = new Set([folder]);
  await steps.mkdir(folder);
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    for (let above = dirname(path); !folders.has(above); above = dirname(above)) folders.add(above);
    await steps.mkdir(dirname(path));
    const file = await steps.open(path, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }
  for (const one of folders) await syncFolder(one);
}

/** Removes what a write made above its folder, as far as it is empty. */
async function removeEmpty(parent: string, made: string | undefined): Promise<void> {
  for (let folder = parent; made && folder.startsWith(made); folder = dirname(folder)) {
    const gone = await rmdir(folder).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}

/**
 * Clears up after writes of a folder that were killed: half-written folders go, and an earlier folder that had just been
 * put aside comes back. Folders of processes that are still at it stay.
 */
export async function settleFolder(path: string): Promise<void> {
  const target = await resolved(path);
  const parent = dirname(target);
  const start = `.${basename(target)}.`;
  for (const entry of await readdir(parent).catch(() => [])) {
    if (!entry.startsWith(start)) continue;
    const [, writer, pid, ending] = /^((\d+)-\d+)\.(tmp|old)$/.exec(entry.slice(start.length)) ?? [];
    if (pid === undefined) continue;
    if (Number(pid) === process.pid ? active.has(start + writer) : isAlive(Number(pid))) continue;
    if (ending === 'old' && !existsSync(target)) await rename(join(parent, entry), target);
    else await rm(join(parent, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}

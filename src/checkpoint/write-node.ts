/** Writing a file whole or not at all. */
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../core/errors.ts';

/** The file operations of an atomic write; tests put failing ones here. */
export interface WriteSteps {
  open(path: string, flags: string): Promise<Pick<FileHandle, 'writeFile' | 'sync' | 'close'>>;
  rename(from: string, to: string): Promise<void>;
}

let writes = 0;

/**
 * Writes a file so that, whatever happens, the path holds the earlier file or the whole new one: into a temporary
 * file of the same folder, synced, renamed, and the folder synced. Throws a UserError when the disk refuses.
 */
export async function writeAtomic(
  path: string,
  bytes: Uint8Array | string,
  steps: WriteSteps = { open, rename },
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${writes++}.tmp`);
  try {
    const file = await steps.open(temporary, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await steps.rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw asWriteError(error, path);
  }
  await syncFolder(folder);
  await removeLeftovers(folder, `${basename(path)}.`);
}

/** Removes temporary files of a folder, or of one file in it, whose process was killed while it wrote. */
export async function removeLeftovers(folder: string, file = ''): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = name.startsWith(`.${file}`) ? /\.(\d+)-\d+\.tmp$/.exec(name)?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

/** Whether there is a process of that number. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Makes a rename lasting. Some systems (Windows, network drives) cannot sync a folder; there the rename has to do. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    return;
  }
}

const REASONS: Readonly<Record<string, readonly [why: string, next: string]>> = {
  ENOSPC: ['the disk is full', 'Free some space or choose a folder on another disk, and run the command again.'],
  EDQUOT: [
    'the disk quota is used up',
    'Free some space or choose a folder on another disk, and run the command again.',
  ],
  EACCES: ['there is no permission to write there', 'Choose a folder of your own, or change its permissions.'],
  EPERM: ['there is no permission to write there', 'Choose a folder of your own, or change its permissions.'],
  EROFS: ['the disk is read-only', 'Choose a folder on a disk that can be written to.'],
  ENOENT: ['the folder does not exist', 'Make the folder first, or correct the path.'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'Correct the path.'],
  EEXIST: ['there is a file in its place', 'Name another path.'],
  EISDIR: ['there is a folder of that name', 'Name a file, or another path.'],
};

/** A refused write as a UserError about `path`; other errors as they are. */
export function asWriteError(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return error;
  const reason = REASONS[code] ?? [message, 'Try again, or choose another place.'];
  return new UserError(
    `${path} could not be written: ${reason[0]}.`,
    `${reason[1]} Nothing was changed: an earlier file of that name is still whole.`,
  );
}

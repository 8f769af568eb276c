/** Copies of what packed files hold, made once, in the cache folder. */
import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder } from '../core/folder-node.ts';
import { cacheFolder } from './cache-folder-node.ts';

/** Raised whenever the copies would come out differently. */
const VERSION = 1;

/**
 * The path of a copy of a file, made by `write` if there is none; a changed file makes another. A copy comes whole or not
 * at all, whatever ends the process.
 */
export async function unpackOnce(
  source: string,
  write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<string> {
  const info = await stat(source).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`"${source}" cannot be read (${error.code}).`, 'Check the path and the permissions.');
  });
  const identity = JSON.stringify([VERSION, resolve(source), info.size, info.mtimeMs]);
  const folder = cacheFolder('unpacked');
  const path = join(folder, `${createHash('sha256').update(identity).digest('hex').slice(0, 32)}.bin`);
  if (await stat(path).catch(() => undefined)) return path;
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  const onDisk = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new UserError(
        `"${source}" cannot be unpacked into "${folder}": ${code === 'ENOSPC' ? 'the disk is full' : (code ?? message)}.`,
        'Free some space, or name another folder for caches in the variable XDG_CACHE_HOME.',
      );
    }
  };
  const file = await onDisk(async () => {
    await makeFolder(folder);
    return await open(draft, 'wx');
  });
  try {
    await write((bytes) => onDisk(() => file.appendFile(bytes)));
    await onDisk(() => file.datasync());
    await file.close();
    await onDisk(() => rename(draft, path));
    return path;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
}

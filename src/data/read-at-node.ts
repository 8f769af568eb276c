/** Reads pieces of large files by their place, for the indices of archives. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteSource } from '../core/byte-source.ts';
import { UserError } from '../core/errors.ts';

export interface OpenedFile extends ByteSource {
  readonly path: string;
  /** The error for a file that is not what it should be: `why` goes on after its name. */
  wrong(why: string, hint?: string): UserError;
}

/** Opens a file for as long as `use` takes. Reads do not go through the thread pool: an index needs many small ones. */
export async function withFile<T>(path: string, use: (file: OpenedFile) => T | Promise<T>): Promise<T> {
  const wrong = (why: string, hint = 'Get the file anew.'): UserError => new UserError(`"${path}" ${why}.`, hint);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw wrong(`cannot be read (${(error as NodeJS.ErrnoException).code})`, 'Check the path and the permissions.');
  }
  try {
    const { size } = fstatSync(descriptor);
    const read: ByteSource['read'] = (offset, length) => {
      // The length is checked before memory is taken for it.
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) throw wrong('is damaged or cut off');
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const count = readSync(descriptor, bytes, done, length - done, offset + done);
        if (count === 0) throw wrong('is damaged or cut off');
        done += count;
      }
      return bytes;
    };
    return await use({ path, size, read, wrong });
  } finally {
    closeSync(descriptor);
  }
}

/** The file of pixels of a cache while it is written: a temporary file until it is whole. */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../core/folder-node.ts';

export interface PixelFile {
  /** Name of the finished file in its folder. */
  readonly name: string;
  /** Appends an image and gives its offset. When the file cannot grow, it is given up and the image is not kept. */
  append(data: Uint8Array): Promise<number>;
  /** Bytes appended so far. */
  bytes(): number;
  /** Flushes the file and gives it its name; its path, or undefined if it was given up. */
  finish(): Promise<string | undefined>;
  /** Removes the file and warns, once. */
  giveUp(error: NodeJS.ErrnoException): Promise<void>;
  /** Removes the file. */
  discard(): Promise<void>;
}

/** Opens a file of pixels for writing; what cannot be written is told by `onWarning`, never thrown. */
export async function openPixelFile(
  folder: string,
  stem: string,
  onWarning?: (message: string) => void,
): Promise<PixelFile> {
  const name = `${stem}.bin`;
  const temporary = join(folder, `${stem}.tmp`);
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  let end = 0;
  let warned = false;
  const discard = async (): Promise<void> => {
    const closing = handle;
    handle = undefined;
    await closing?.close().catch(() => {});
    await rm(temporary, { force: true }).catch(() => {});
    await rm(join(folder, name), { force: true }).catch(() => {});
  };
  const giveUp = async (error: NodeJS.ErrnoException): Promise<void> => {
    if (warned) return;
    warned = true;
    const why = error.code === 'ENOSPC' ? 'the disk is full' : (error.code ?? error.message);
    onWarning?.(
      `Decoded images cannot be kept in "${folder}" (${why}); they are decoded again each epoch, which is slower.`,
    );
    await discard();
  };
  try {
    await makeFolder(folder);
    handle = await open(temporary, 'w');
  } catch (error) {
    await giveUp(error as NodeJS.ErrnoException);
  }
  return {
    name,
    bytes: () => end,
    async append(data) {
      const offset = end;
      end += data.length;
      try {
        // A nearly full disk takes a part of the bytes before it refuses the rest.
        for (let done = 0; handle && done < data.length; ) {
          done += (await handle.write(data, done, data.length - done, offset + done)).bytesWritten;
        }
      } catch (error) {
        await giveUp(error as NodeJS.ErrnoException);
      }
      return offset;
    },
    async finish() {
      try {
        await handle?.datasync();
        await handle?.close();
        if (!handle) return undefined;
        handle = undefined;
        await rename(temporary, join(folder, name));
        return join(folder, name);
      } catch (error) {
        await giveUp(error as NodeJS.ErrnoException);
        return undefined;
      }
    },
    giveUp,
    discard,
  };
}

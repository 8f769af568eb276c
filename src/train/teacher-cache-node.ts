/**
 * A teacher's logits on disk, one file an epoch, so that another run with the same images (a resumed one, another student)
 * need not ask it again. The key names all that the images and the answers depend on.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLeftovers, writeAtomic } from '../checkpoint/write-node.ts';
import { makeFolder } from '../core/folder-node.ts';
import type { TeacherCache } from './teacher.ts';

/** The answers of a whole run may take so much; of a longer one none are kept. */
const LIMIT_BYTES = 2 ** 30;

export interface TeacherCacheOptions {
  readonly folder: string;
  /** What the answers depend on, as JSON. */
  readonly key: unknown;
  /** Floats of an epoch, and the epochs of the run. */
  readonly floats: number;
  readonly epochs: number;
}

/** Hash of a file's content. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest('hex');
}

/** Opens the cache of a run's teacher; undefined when all its answers would not fit. */
export async function openTeacherCache({
  folder,
  key,
  floats,
  epochs,
}: TeacherCacheOptions): Promise<TeacherCache | undefined> {
  if (4 * floats * epochs > LIMIT_BYTES) return undefined;
  const own = join(folder, createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 24));
  const made = await makeFolder(own).then(
    () => true,
    () => false,
  );
  if (!made) return undefined;
  await removeLeftovers(own);
  const pathOf = (epoch: number): string => join(own, `epoch-${epoch}.f32`);
  return {
    async read(epoch) {
      const bytes = await readFile(pathOf(epoch)).catch(() => undefined);
      if (bytes?.length !== 4 * floats) return undefined;
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    },
    async write(epoch, logits) {
      // A full disk costs time later, not the run.
      await writeAtomic(pathOf(epoch), new Uint8Array(logits.buffer)).catch(() => undefined);
    },
  };
}

/** Images by their index: out of the decoded cache, or decoded from their files where there is none. */
import { closeSync, openSync, readSync } from 'node:fs';
import { UserError } from '../core/errors.ts';
import type { Place } from '../data/dataset.ts';
import type { PixelImage } from '../images/resize.ts';
import { type CacheIndex, type Geometry, readAs } from './cache-node.ts';

export interface ImageReader {
  /** The image of a sample; what it returns without a promise is overwritten by the next call. */
  read(sample: number): PixelImage | Promise<PixelImage>;
  close(): void;
}

/** Opens a reader of a cache, or of the files themselves if the cache has no file. `close` when done. */
export function openImageReader(
  index: Pick<CacheIndex, 'file' | 'entries'>,
  samples: readonly Place[],
  geometry: Geometry,
): ImageReader {
  const { file, entries } = index;
  if (file === undefined) return { read: (sample) => readAs(samples[sample]!, geometry), close: () => {} };
  const { channels } = geometry;
  const descriptor = openSync(file, 'r');
  let buffer = new Uint8Array(0);
  return {
    read(sample) {
      const [offset, width, height] = entries[sample]!;
      const bytes = width * height * channels;
      if (buffer.length < bytes) buffer = new Uint8Array(bytes);
      if (readSync(descriptor, buffer, 0, bytes, offset) < bytes)
        throw new UserError(`The cache of decoded images "${file}" was cut off.`, 'Remove the file and run again.');
      return { width, height, channels, data: buffer.subarray(0, bytes) };
    },
    close: () => closeSync(descriptor),
  };
}

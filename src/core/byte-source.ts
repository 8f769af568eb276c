/** Bytes that are read piece by piece: a file on disk, or memory. */
import { UserError } from './errors.ts';

export interface ByteSource {
  readonly size: number;
  /** Bytes from an offset on, in memory of their own; throws a UserError where the source ends before. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** Bytes in memory as a source. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length))
        throw new UserError('The file is damaged or cut off.', 'Get the file anew.');
      // Not slice(): a Node Buffer's slice is a view.
      return new Uint8Array(bytes.subarray(offset, offset + length));
    },
  };
}

/** What is given as a source: bytes are one in memory. */
export function asSource(given: Uint8Array | ByteSource): ByteSource {
  return given instanceof Uint8Array ? memorySource(given) : given;
}

/** Reads a source byte by byte from a place on, through a window, so that a large file is not loaded for a short pickle. */
import type { ByteSource } from '../../core/byte-source.ts';
import { brokenPickle } from './broken.ts';

const WINDOW = 1 << 16;

export interface ByteReader {
  /** Where the next byte lies in the source. */
  readonly position: number;
  byte(): number;
  /** The next bytes, valid until the next call. */
  bytes(count: number): Uint8Array;
  /** The bytes up to the next newline, which is skipped; of more than `limit` a UserError. */
  line(limit: number): Uint8Array;
}

/** A reader of a source from an offset on; reading beyond its end is a UserError. */
export function byteReader(source: ByteSource, offset = 0): ByteReader {
  let window = new Uint8Array(0);
  let start = offset;
  let at = 0;
  const need = (count: number): void => {
    if (at + count <= window.length) return;
    start += at;
    at = 0;
    if (start + count > source.size) throw brokenPickle('it ends in the middle');
    window = source.read(start, Math.min(source.size - start, Math.max(count, WINDOW)));
  };
  return {
    get position() {
      return start + at;
    },
    byte() {
      need(1);
      return window[at++]!;
    },
    bytes(count) {
      need(count);
      at += count;
      return window.subarray(at - count, at);
    },
    line(limit) {
      const found: number[] = [];
      for (let byte = this.byte(); byte !== 0x0a; byte = this.byte()) {
        if (found.length === limit) throw brokenPickle('a name in it has no end');
        found.push(byte);
      }
      return Uint8Array.from(found);
    },
  };
}

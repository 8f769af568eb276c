/** Damage of many kinds to the bytes of a file, by seed. */
import type { Random } from '../../src/core/random.ts';

const EXTREMES = [0, 1, 2, 4, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

const DAMAGE: readonly ((bytes: Uint8Array, rng: Random) => Uint8Array)[] = [
  (bytes, rng) => {
    bytes[rng.int(bytes.length)] = rng.int(256);
    return bytes;
  },
  (bytes, rng) => {
    const at = 4 * rng.int(Math.floor(bytes.length / 4));
    const value = rng.int(2) ? EXTREMES[rng.int(EXTREMES.length)]! : rng.int(bytes.length);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
    return bytes;
  },
  (bytes, rng) => bytes.slice(0, 1 + rng.int(bytes.length)),
  (bytes, rng) => bytes.copyWithin(rng.int(bytes.length), rng.int(bytes.length), rng.int(bytes.length)),
];

/** A copy of a file with one to four injuries. */
export function damaged(file: Uint8Array, rng: Random): Uint8Array {
  let bytes: Uint8Array = file.slice();
  for (let hits = 1 + rng.int(4); hits > 0 && bytes.length >= 8; hits--)
    bytes = DAMAGE[rng.int(DAMAGE.length)]!(bytes, rng);
  return bytes;
}

/**
 * Pairs of 64-bit hashes that differ in few bits, without comparing all with all: multi-index hashing (Norouzi et al.,
 * arXiv 1307.2982). Hashes within r bits agree to within r/4 bits on one of their four 16-bit quarters, so only hashes
 * in those buckets are compared.
 */
import { countBits } from './fingerprint.ts';

const QUARTERS = 4;
const BUCKETS = 1 << 16;

export interface Neighbor {
  readonly index: number;
  /** Bits that differ. */
  readonly distance: number;
}

/** 16-bit words with at most `limit` bits set. */
function masks(limit: number): Uint32Array {
  return Uint32Array.from({ length: BUCKETS }, (_, word) => word).filter((word) => countBits(word) <= limit);
}

interface Buckets {
  /** Where each bucket begins in `members`; one more at the end. */
  readonly starts: Uint32Array;
  readonly members: Uint32Array;
}

function bucketsOf(keys: Uint16Array): Buckets {
  const starts = new Uint32Array(BUCKETS + 1);
  for (const key of keys) starts[key + 1]!++;
  for (let i = 0; i < BUCKETS; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice();
  const members = new Uint32Array(keys.length);
  keys.forEach((key, i) => {
    members[next[key]!++] = i;
  });
  return { starts, members };
}

/**
 * Calls `visit` for each hash with the earlier hashes within `radius` bits, nearest first and at most `most` of them (a
 * set of look-alikes would give nearly all pairs).
 */
export function forNeighbors(
  hashes: readonly (readonly [number, number])[],
  radius: number,
  most: number,
  visit: (index: number, neighbors: readonly Neighbor[]) => void,
): void {
  const low = Int32Array.from(hashes, ([word]) => word);
  const high = Int32Array.from(hashes, ([, word]) => word);
  const quarters = Array.from({ length: QUARTERS }, (_, q) =>
    Uint16Array.from(hashes, (words) => words[q >> 1]! >>> (16 * (q & 1))),
  );
  const buckets = quarters.map(bucketsOf);
  const flips = masks(Math.floor(radius / QUARTERS));
  const seen = new Int32Array(hashes.length).fill(-1);
  for (let i = 0; i < hashes.length; i++) {
    const found: Neighbor[][] = Array.from({ length: radius + 1 }, () => []);
    for (let q = 0; q < QUARTERS; q++) {
      const { starts, members } = buckets[q]!;
      const key = quarters[q]![i]!;
      for (const flip of flips) {
        const bucket = key ^ flip;
        // Members are in order: the earlier ones come first.
        for (let m = starts[bucket]!; m < starts[bucket + 1]! && members[m]! < i; m++) {
          const j = members[m]!;
          if (seen[j] === i) continue;
          seen[j] = i;
          const distance = countBits(low[i]! ^ low[j]!) + countBits(high[i]! ^ high[j]!);
          if (distance <= radius) found[distance]!.push({ index: j, distance });
        }
      }
    }
    const nearest = found.flat();
    if (nearest.length > 0) visit(i, nearest.slice(0, most));
  }
}

/** What a multiply-add takes in every part of a network. */
import { PARTS } from './scaling-nets.ts';
import type { Found } from './scaling-times.ts';

/** Picoseconds a multiply-add of a part takes; the head has too few to speak of. */
export interface Pace {
  readonly net: string;
  readonly part: number;
  readonly picoseconds: number;
  readonly interval: readonly [number, number];
  /** Bytes of activations and weights that are moved for each. */
  readonly bytes: number;
}

export function pacesOf({ parts, layers }: Pick<Found, 'parts' | 'layers'>): Pace[] {
  return parts.flatMap(({ net, part, mean, interval }): Pace[] => {
    if (part === PARTS.length - 1) return [];
    const own = layers.filter((one) => one.net === net && one.counted.part === part).map(({ counted }) => counted);
    const macs = own.reduce((sum, one) => sum + one.macs, 0);
    const bytes = own.reduce((sum, one) => sum + one.activationBytes + one.weightBytes, 0);
    const of = (ms: number): number => (Math.max(0, ms) * 1e9) / macs;
    return [{ net, part, picoseconds: of(mean), interval: [of(interval[0]), of(interval[1])], bytes: bytes / macs }];
  });
}

/** How much longer a multiply-add of stage 1 takes than one of stage 3; undefined where noise hides it. */
export function earlyToLate(paces: readonly Pace[]): number | undefined {
  const [early, late] = [1, 3].map((part) => paces.find((one) => one.part === part));
  return early && late && early.interval[0] > 0 && late.interval[0] > 0
    ? early.picoseconds / late.picoseconds
    : undefined;
}

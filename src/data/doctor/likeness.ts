/**
 * Whether two pictures are of the same shot, in two looks: at 16 × 16 pixels, which is kept of every image, and for the few
 * that pass at 64 × 64, where things of one shape on one background part: their details are others.
 */
import type { PixelImage } from '../../images/resize.ts';
import { type Levels, overlay, smooth, type Warp, warped } from './align.ts';
import { colorfulness, type Fingerprint, grayAt, SIDE, shrink } from './fingerprint.ts';

/** Share of the variance at 16 × 16 that one copy explains of the other. */
const ALIKE = 0.93;
/** Correlation of the details at 64 × 64: above 0.95 for copies of photos, under 0.9 for other clothes or hands of a series. */
const SAME_DETAIL = 0.92;
/** Root mean square of details, in gray levels, under which a picture has none to compare. */
const NO_DETAIL = 1.5;
const DETAIL_SIDE = 64;
/** Smoothing that parts details from shapes: variance 4, about two pixels of 64. */
const SHAPE_SMOOTHING = 8;
/** Colorfulness up to which a picture counts as gray: JPEG colors its grays a little. */
const GRAY = 12;
/** Color difference that a copy may have: mean levels, or a share of both pictures' colors (a brightened copy). */
const MOST_COLOR = 14;
const MOST_COLOR_SHARE = 0.35;

function grayLevels(rgb: Uint8Array, side: number): Levels {
  const data = new Float64Array(side * side);
  for (let i = 0; i < data.length; i++) data[i] = grayAt(rgb, i);
  return { side, data };
}

/** The first look: how one is laid over the other, or undefined where they are not alike. */
export function firstLook(a: Fingerprint, b: Fingerprint): Warp | undefined {
  // Smoothed, since copies of another scale differ by what fell between the pixels.
  const [one, other] = [a, b].map(({ small }) => smooth(grayLevels(small, SIDE), 1)) as [Levels, Levels];
  const forth = overlay(one, other);
  if (!forth || forth.r2 < ALIKE || differInColor(a, b)) return undefined;
  const back = overlay(other, one);
  return back && back.r2 >= ALIKE ? forth.warp : undefined;
}

/** Whether the colors (R − gray and B − gray) of two pictures are others; a gray picture may be a copy of any. */
function differInColor(a: Fingerprint, b: Fingerprint): boolean {
  if (Math.min(colorfulness(a), colorfulness(b)) <= GRAY) return false;
  let difference = 0;
  let total = 0;
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [ga, gb] = [grayAt(a.small, i), grayAt(b.small, i)];
    for (const c of [0, 2]) {
      const [ca, cb] = [a.small[3 * i + c]! - ga, b.small[3 * i + c]! - gb];
      difference += Math.abs(ca - cb);
      total += Math.abs(ca) + Math.abs(cb);
    }
  }
  return difference > MOST_COLOR * 2 * SIDE * SIDE && difference > MOST_COLOR_SHARE * total;
}

/** What the second look is at: gray levels at 64 × 64. */
export function detailOf(image: PixelImage): Levels {
  return smooth(grayLevels(shrink(image, DETAIL_SIDE, DETAIL_SIDE), DETAIL_SIDE), 1);
}

/** The second look: correlation of the details once the pictures lie on one another; 1 where neither has any. */
function detailLikeness(a: Levels, b: Levels, start: Warp): number {
  const found = overlay(a, b, start);
  if (!found) return 0;
  const moved = warped(b, found.warp);
  const details = [a, moved].map((picture) => {
    const shapes = smooth(picture, SHAPE_SMOOTHING).data;
    return picture.data.map((level, i) => level - shapes[i]!);
  }) as [Float64Array, Float64Array];
  let [count, aa, bb, ab] = [0, 0, 0, 0];
  moved.inside.forEach((is, i) => {
    if (!is) return;
    const [p, q] = [details[0][i]!, details[1][i]!];
    count++;
    aa += p * p;
    bb += q * q;
    ab += p * q;
  });
  if (Math.max(aa, bb) < NO_DETAIL ** 2 * count) return 1;
  return ab / Math.sqrt(aa * bb + 1e-9);
}

/** Whether the second look finds the same details. */
export const sameDetail = (a: Levels, b: Levels, start: Warp): boolean => detailLikeness(a, b, start) >= SAME_DETAIL;

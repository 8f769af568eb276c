/**
 * Lays one gray picture over another by a shift, a stretch, and a change of brightness and contrast, in the least-squares
 * sense (a few Gauss–Newton steps; Lucas and Kanade 1981). A crop, a rescaled or a brightened copy leaves next to nothing.
 */

/** A square of gray levels, row-major. */
export interface Levels {
  readonly side: number;
  readonly data: Float64Array;
}

export interface Warp {
  /** Shift and stretch along x, then y, as shares of the side and of the distance from the center; zeros: none. */
  readonly shift: readonly [number, number];
  readonly stretch: readonly [number, number];
}

export interface Overlay {
  readonly warp: Warp;
  /** Share of the variance that is explained (R²). */
  readonly r2: number;
}

const STEPS = 4;
/** Unknowns: contrast, brightness, shift and stretch along x and y. */
const UNKNOWNS = 6;
/** A crop of a tenth. */
const MOST_MOVED = 0.12;
/** A copy may be this much darker or lighter. */
const MOST_GAIN = 2.2;
/** Levels so near black or white are clipped, and say nothing of brightness. */
const CLIPPED = 6;
/** Share of the pixels that must be left to compare; else clipped ones are compared too. */
const ENOUGH = 0.375;
/** R² of the first fit below which a picture is another, and above which no better one is sought. */
const HOPELESS = 0.7;
const SURE = 0.995;

export const NO_WARP: Warp = { shift: [0, 0], stretch: [0, 0] };

/** [1 2 1] / 4 along both axes, so many times, the border continued: a Gaussian of variance `times` / 2. */
export function smooth({ side, data }: Levels, times: number): Levels {
  let levels = data;
  for (let n = 0; n < 2 * times; n++) {
    const [along, across] = n % 2 === 0 ? [1, side] : [side, 1];
    const out = new Float64Array(levels.length);
    for (let line = 0; line < side; line++) {
      for (let i = 0; i < side; i++) {
        const at = line * across + i * along;
        const before = levels[i > 0 ? at - along : at]!;
        const after = levels[i < side - 1 ? at + along : at]!;
        out[at] = (before + 2 * levels[at]! + after) / 4;
      }
    }
    levels = out;
  }
  return { side, data: levels };
}

/** The level at (u, v), bilinear; outside, NaN. */
function sample({ side, data }: Levels, u: number, v: number): number {
  if (!(u >= 0 && v >= 0 && u <= side - 1 && v <= side - 1)) return Number.NaN;
  const x = Math.min(side - 2, Math.floor(u));
  const y = Math.min(side - 2, Math.floor(v));
  const at = y * side + x;
  const top = data[at]! + (data[at + 1]! - data[at]!) * (u - x);
  const bottom = data[at + side]! + (data[at + side + 1]! - data[at + side]!) * (u - x);
  return top + (bottom - top) * (v - y);
}

/** A picture as a warp shows it: beyond its border, the border continued; `inside` tells what is not. */
export function warped(picture: Levels, { shift, stretch }: Warp): Levels & { readonly inside: readonly boolean[] } {
  const { side } = picture;
  const center = (side - 1) / 2;
  const clamp = (at: number): number => Math.max(0, Math.min(side - 1, at));
  const data = new Float64Array(side * side);
  const inside: boolean[] = [];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const u = x + shift[0] * side + stretch[0] * (x - center);
      const v = y + shift[1] * side + stretch[1] * (y - center);
      data[y * side + x] = sample(picture, clamp(u), clamp(v));
      inside.push(u === clamp(u) && v === clamp(v));
    }
  }
  return { side, data, inside };
}

/** Lays `moving` over `fixed` (both smooth), beginning with a warp; undefined if no small change makes them alike. */
export function overlay(fixed: Levels, moving: Levels, start: Warp = NO_WARP): Overlay | undefined {
  let best: Overlay | undefined;
  let warp = start;
  for (let step = 0; step < STEPS; step++) {
    const fit = fitStep(fixed, moving, warp, CLIPPED) ?? fitStep(fixed, moving, warp, 0);
    if (!fit || !(fit.gain > 1 / MOST_GAIN && fit.gain < MOST_GAIN)) break;
    if ([...fit.warp.shift, ...fit.warp.stretch].some((moved) => Math.abs(moved) > MOST_MOVED)) break;
    if (!best || fit.r2 > best.r2) best = fit;
    if (best.r2 < HOPELESS || best.r2 > SURE) break;
    warp = fit.warp;
  }
  return best && best.r2 >= HOPELESS ? best : undefined;
}

/** One linear least-squares fit of `fixed` by the warped picture, a constant, and the derivatives by the warp. */
function fitStep(
  fixed: Levels,
  moving: Levels,
  { shift, stretch }: Warp,
  clipped: number,
): (Overlay & { gain: number }) | undefined {
  const { side } = fixed;
  const n = UNKNOWNS;
  const matrix = new Float64Array(n * n);
  const right = new Float64Array(n);
  const f = new Float64Array(n);
  const center = (side - 1) / 2;
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const value = fixed.data[y * side + x]!;
      const [dx, dy] = [x - center, y - center];
      const u = x + shift[0] * side + stretch[0] * dx;
      const v = y + shift[1] * side + stretch[1] * dy;
      const other = sample(moving, u, v);
      const gx = sample(moving, u + 0.5, v) - sample(moving, u - 0.5, v);
      const gy = sample(moving, u, v + 0.5) - sample(moving, u, v - 0.5);
      const most = 255 - clipped;
      if (Number.isNaN(gx) || Number.isNaN(gy)) continue;
      if (value < clipped || other < clipped || value > most || other > most) continue;
      f[0] = other;
      f[1] = 1;
      f[2] = gx;
      f[3] = gy;
      f[4] = gx * dx;
      f[5] = gy * dy;
      count++;
      sum += value;
      squares += value * value;
      for (let p = 0; p < n; p++) {
        right[p]! += f[p]! * value;
        for (let q = 0; q <= p; q++) matrix[p * n + q]! += f[p]! * f[q]!;
      }
    }
  }
  const total = squares - (sum * sum) / count;
  if (count < ENOUGH * side * side || !(total / count > 1)) return undefined;
  const weights = solve(matrix, right);
  const left = squares - weights.reduce((part, weight, p) => part + weight * right[p]!, 0);
  const gain = weights[0]!;
  const [tx, ty, sx, sy] = [...weights.subarray(2)].map((weight) => weight / gain) as [number, number, number, number];
  return {
    gain,
    r2: 1 - left / total,
    warp: {
      shift: [shift[0] + tx / side, shift[1] + ty / side],
      stretch: [stretch[0] + sx, stretch[1] + sy],
    },
  };
}

/** Solves the symmetric positive system (lower triangle given) by Cholesky, made regular by a little on its diagonal. */
function solve(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = UNKNOWNS;
  const x = right.slice();
  for (let i = 0; i < n; i++) {
    matrix[i * n + i]! += 1e-9 * matrix[i * n + i]! + 1e-6;
    for (let j = 0; j <= i; j++) {
      let value = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) value -= matrix[i * n + k]! * matrix[j * n + k]!;
      matrix[i * n + j] = i === j ? Math.sqrt(Math.max(value, 1e-9)) : value / matrix[j * n + j]!;
    }
    for (let k = 0; k < i; k++) x[i]! -= matrix[i * n + k]! * x[k]!;
    x[i]! /= matrix[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= matrix[k * n + i]! * x[k]!;
    x[i]! /= matrix[i * n + i]!;
  }
  return x;
}

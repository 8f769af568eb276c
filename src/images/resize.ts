/** Antialiased bilinear resize of RGB bytes, as Pillow's and torchvision's: a triangle filter that widens with the scale. */
import type { Box } from './preprocess.ts';

/** 8-bit RGB, rows of width · 3 bytes. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

interface Taps {
  /** First input index of each output. */
  readonly first: Int32Array;
  /** Taps of each output. */
  readonly count: number;
  /** [output][count] weights; unused ones are zero. */
  readonly weights: Float32Array;
}

/** Filter taps along one axis: `input` samples to `output` ones; only outputs from … from + length are made. */
function makeTaps(input: number, output: number, from: number, length: number): Taps {
  const scale = input / output;
  const support = Math.max(1, scale);
  const count = Math.min(input, Math.ceil(support) * 2 + 1);
  const first = new Int32Array(length);
  const weights = new Float32Array(length * count);
  for (let o = 0; o < length; o++) {
    const center = (o + from + 0.5) * scale;
    const low = Math.max(0, Math.floor(center - support + 0.5));
    const high = Math.min(input, Math.floor(center + support + 0.5));
    const start = Math.min(low, input - count);
    let sum = 0;
    for (let i = low; i < high; i++) {
      const weight = Math.max(0, 1 - Math.abs((i + 0.5 - center) / support));
      weights[o * count + i - start] = weight;
      sum += weight;
    }
    for (let i = 0; i < count; i++) weights[o * count + i]! /= sum;
    first[o] = start;
  }
  return { first, count, weights };
}

let scratch = new Float32Array(0);

export interface ResizeTarget {
  /** Where the result goes, at `offset`: [height][width][3]. */
  readonly out: Uint8Array;
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  /** Mirrors left and right. */
  readonly flip?: boolean;
}

/**
 * Resizes a region of an image to width × height. With `window`, only that part of the resized picture is made
 * (then width and height are the window's).
 */
export function resizeRegion(
  source: RgbImage,
  region: Box,
  target: ResizeTarget,
  window?: {
    readonly resized: { readonly width: number; readonly height: number };
    readonly x: number;
    readonly y: number;
  },
): void {
  const { out, offset, width, height, flip = false } = target;
  const full = window?.resized ?? target;
  const columns = makeTaps(region.width, full.width, window?.x ?? 0, width);
  const rows = makeTaps(region.height, full.height, window?.y ?? 0, height);
  const firstRow = rows.first[0]!;
  const lastRow = rows.first[height - 1]! + rows.count;
  const line = width * 3;
  if (scratch.length < (lastRow - firstRow) * line) scratch = new Float32Array((lastRow - firstRow) * line);
  const middle = scratch;

  const { data } = source;
  const { first, count, weights } = columns;
  for (let y = firstRow; y < lastRow; y++) {
    const row = ((region.y + y) * source.width + region.x) * 3;
    let at = (y - firstRow) * line;
    for (let x = 0; x < width; x++) {
      let p = row + first[x]! * 3;
      let w = x * count;
      let r = 0;
      let g = 0;
      let b = 0;
      for (let t = 0; t < count; t++, w++, p += 3) {
        const weight = weights[w]!;
        r += weight * data[p]!;
        g += weight * data[p + 1]!;
        b += weight * data[p + 2]!;
      }
      middle[at] = r;
      middle[at + 1] = g;
      middle[at + 2] = b;
      at += 3;
    }
  }
  for (let y = 0; y < height; y++) {
    const top = (rows.first[y]! - firstRow) * line;
    const w = y * rows.count;
    const to = offset + y * line;
    for (let x = 0; x < width; x++) {
      let at = top + x * 3;
      let r = 0.5;
      let g = 0.5;
      let b = 0.5;
      for (let t = 0; t < rows.count; t++, at += line) {
        const weight = rows.weights[w + t]!;
        r += weight * middle[at]!;
        g += weight * middle[at + 1]!;
        b += weight * middle[at + 2]!;
      }
      const o = to + (flip ? width - 1 - x : x) * 3;
      out[o] = r;
      out[o + 1] = g;
      out[o + 2] = b;
    }
  }
}

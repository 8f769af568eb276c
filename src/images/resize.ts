/**
 * Antialiased bilinear resize of bytes: a triangle filter that widens with the scale. Computed as Pillow does (and so
 * torchvision on Pillow images), to the last bit: along x, rounded to bytes, then along y, with 22-bit integer weights.
 * (Pillow 13 begins with y where a picture shrinks far more along y than along x: there values differ by one at most.)
 */
import type { Box } from './preprocess.ts';

/** 8-bit pixels, interleaved: rows of width · channels bytes (3: RGB; others: see channels.ts). */
export interface PixelImage {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

export interface ResizeTarget {
  /** Where the result goes, at `offset`: [height][width][channels]. */
  readonly out: Uint8Array;
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  /** Mirrors left and right. */
  readonly flip?: boolean;
}

interface Taps {
  /** First input index of each output. */
  readonly first: Int32Array;
  /** Taps of each output: 2, 4 (these have fast loops) or more. */
  readonly count: number;
  /** [output][count] weights, 2²² for one; unused ones are zero. */
  readonly weights: Int32Array;
}

const BITS = 22;
const HALF = 1 << (BITS - 1);
/** Source rows walked down at a time, few enough to stay in the first cache. */
const BLOCK = 32;

/** Filter taps along one axis: `input` samples to `output` ones; only outputs from … from + length are made. */
function makeTaps(input: number, output: number, from: number, length: number): Taps {
  const scale = input / output;
  const support = Math.max(1, scale);
  const inverse = 1 / support;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(length);
  const taps = new Int32Array(length * most);
  const exact = new Float64Array(most);
  let longest = 1;
  for (let o = 0; o < length; o++) {
    const center = (o + from + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(input, Math.trunc(center + support + 0.5)) - low;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      exact[i] = Math.max(0, 1 - Math.abs((i + low - center + 0.5) * inverse));
      sum += exact[i]!;
    }
    let skip = 0;
    while (exact[skip] === 0) skip++;
    first[o] = low + skip;
    for (let i = skip; i < n; i++) {
      const weight = Math.trunc(0.5 + (exact[i]! / sum) * (1 << BITS));
      taps[o * most + i - skip] = weight;
      if (weight > 0) longest = Math.max(longest, i - skip + 1);
    }
  }
  const count = Math.min(input, longest < 3 ? 2 : Math.max(4, longest));
  const weights = new Int32Array(length * count);
  for (let o = 0; o < length; o++) {
    const start = Math.min(first[o]!, input - count);
    const shift = first[o]! - start;
    for (let i = 0; i < most && i + shift < count; i++) weights[o * count + i + shift] = taps[o * most + i]!;
    first[o] = start;
  }
  return { first, count, weights };
}

/** The rows in use, resized along x: [rows][width][channels]. */
let middle = new Uint8Array(0);
let sums = new Int32Array(0);

/** Resizes rows of RGB along x into `middle`, one output column after the other, so that its weights are read once. */
function resizeAlongX(
  source: { readonly data: Uint8Array; readonly at: number; readonly stride: number; readonly rows: number },
  taps: Taps,
  target: { readonly at: number; readonly width: number; readonly flip: boolean },
): void {
  const { data, stride, rows } = source;
  const { first, count, weights } = taps;
  const { width, flip } = target;
  const line = width * 3;
  const mid = middle;
  for (let x = 0; x < width; x++) {
    let p = source.at + first[x]! * 3;
    let q = target.at + (flip ? width - 1 - x : x) * 3;
    const w = x * count;
    if (count === 2) {
      const a = weights[w]!;
      const b = weights[w + 1]!;
      for (let y = 0; y < rows; y++, p += stride, q += line) {
        mid[q] = (HALF + Math.imul(a, data[p]!) + Math.imul(b, data[p + 3]!)) >> BITS;
        mid[q + 1] = (HALF + Math.imul(a, data[p + 1]!) + Math.imul(b, data[p + 4]!)) >> BITS;
        mid[q + 2] = (HALF + Math.imul(a, data[p + 2]!) + Math.imul(b, data[p + 5]!)) >> BITS;
      }
    } else if (count === 4) {
      const a = weights[w]!;
      const b = weights[w + 1]!;
      const c = weights[w + 2]!;
      const d = weights[w + 3]!;
      for (let y = 0; y < rows; y++, p += stride, q += line) {
        for (let channel = 0; channel < 3; channel++) {
          const s = p + channel;
          const left = Math.imul(a, data[s]!) + Math.imul(b, data[s + 3]!);
          mid[q + channel] = (HALF + left + Math.imul(c, data[s + 6]!) + Math.imul(d, data[s + 9]!)) >> BITS;
        }
      }
    } else {
      for (let y = 0; y < rows; y++, p += stride, q += line) {
        let r = HALF;
        let g = HALF;
        let b = HALF;
        for (let t = 0, s = p; t < count; t++, s += 3) {
          const weight = weights[w + t]!;
          r = (r + Math.imul(weight, data[s]!)) | 0;
          g = (g + Math.imul(weight, data[s + 1]!)) | 0;
          b = (b + Math.imul(weight, data[s + 2]!)) | 0;
        }
        mid[q] = r >> BITS;
        mid[q + 1] = g >> BITS;
        mid[q + 2] = b >> BITS;
      }
    }
  }
}

/** The same for any number of channels. */
function resizeAnyAlongX(
  source: { readonly data: Uint8Array; readonly at: number; readonly stride: number; readonly rows: number },
  { first, count, weights }: Taps,
  target: { readonly at: number; readonly width: number; readonly flip: boolean },
  channels: number,
): void {
  const { data, stride, rows } = source;
  const { width, flip } = target;
  const line = width * channels;
  for (let x = 0; x < width; x++) {
    const from = source.at + first[x]! * channels;
    const to = target.at + (flip ? width - 1 - x : x) * channels;
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0, p = from + channel, q = to + channel; y < rows; y++, p += stride, q += line) {
        let sum = HALF;
        for (let t = 0, s = p; t < count; t++, s += channels)
          sum = (sum + Math.imul(weights[x * count + t]!, data[s]!)) | 0;
        middle[q] = sum >> BITS;
      }
    }
  }
}

/** Resizes `middle`, whose rows of `line` bytes begin with `firstRow`, along y into `out`. */
function resizeAlongY(taps: Taps, firstRow: number, line: number, { out, offset, height }: ResizeTarget): void {
  const { first, count, weights } = taps;
  const mid = middle;
  if (sums.length < line) sums = new Int32Array(line);
  const sum = sums;
  for (let y = 0; y < height; y++) {
    const at = (first[y]! - firstRow) * line;
    const to = offset + y * line;
    const w = y * count;
    if (count === 2) {
      const a = weights[w]!;
      const b = weights[w + 1]!;
      for (let i = 0, p = at; i < line; i++, p++) {
        out[to + i] = (HALF + Math.imul(a, mid[p]!) + Math.imul(b, mid[p + line]!)) >> BITS;
      }
    } else if (count === 4) {
      const a = weights[w]!;
      const b = weights[w + 1]!;
      const c = weights[w + 2]!;
      const d = weights[w + 3]!;
      for (let i = 0, p = at; i < line; i++, p++) {
        const above = Math.imul(a, mid[p]!) + Math.imul(b, mid[p + line]!);
        const below = Math.imul(c, mid[p + 2 * line]!) + Math.imul(d, mid[p + 3 * line]!);
        out[to + i] = (HALF + above + below) >> BITS;
      }
    } else {
      sum.fill(HALF, 0, line);
      for (let t = 0, p = at; t < count; t++, p += line) {
        const weight = weights[w + t]!;
        for (let i = 0; i < line; i++) sum[i] = sum[i]! + Math.imul(weight, mid[p + i]!);
      }
      for (let i = 0; i < line; i++) out[to + i] = sum[i]! >> BITS;
    }
  }
}

/**
 * Resizes a region of an image to width × height. With `window`, only that part of the resized picture is made
 * (then width and height are the window's). Nothing outside the region is read.
 */
export function resizeRegion(
  source: PixelImage,
  region: Box,
  target: ResizeTarget,
  window?: {
    readonly resized: { readonly width: number; readonly height: number };
    readonly x: number;
    readonly y: number;
  },
): void {
  const { width, height, flip = false } = target;
  const full = window?.resized ?? target;
  const columns = makeTaps(region.width, full.width, window?.x ?? 0, width);
  const lines = makeTaps(region.height, full.height, window?.y ?? 0, height);
  const firstRow = lines.first[0]!;
  const count = lines.first[height - 1]! + lines.count - firstRow;
  const { channels } = source;
  const line = width * channels;
  if (middle.length < count * line) middle = new Uint8Array(count * line);
  const stride = source.width * channels;
  const at = (region.y + firstRow) * stride + region.x * channels;
  for (let y = 0; y < count; y += BLOCK) {
    const rows = { data: source.data, at: at + y * stride, stride, rows: Math.min(BLOCK, count - y) };
    const to = { at: y * line, width, flip };
    if (channels === 3) resizeAlongX(rows, columns, to);
    else resizeAnyAlongX(rows, columns, to, channels);
  }
  resizeAlongY(lines, firstRow, line, target);
}

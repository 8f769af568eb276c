import { permutation, type Random } from '../../core/random.ts';
import type { Augment } from './options.ts';

const clamp = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
const gray = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;

/** Brightness, contrast, saturation and hue in random order, in place, on `count` RGB pixels from `offset`. */
export function jitterColors(
  pixels: Uint8Array,
  offset: number,
  count: number,
  options: NonNullable<Augment['colorJitter']>,
  rng: Random,
): void {
  const factor = (strength: number): number => {
    const low = Math.max(0, 1 - strength);
    return low + (1 + strength - low) * rng.uniform();
  };
  const part = pixels.subarray(offset, offset + count * 3);
  for (const which of permutation(4, rng)) {
    if (which === 0 && options.brightness > 0) blend(part, factor(options.brightness), () => 0);
    else if (which === 1 && options.contrast > 0) blend(part, factor(options.contrast), constant(meanGray(part)));
    else if (which === 2 && options.saturation > 0) blend(part, factor(options.saturation), gray);
    else if (which === 3 && options.hue > 0) shiftHue(part, (2 * rng.uniform() - 1) * options.hue);
  }
}

const constant = (value: number) => (): number => value;

function meanGray(part: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < part.length; i += 3) sum += gray(part[i]!, part[i + 1]!, part[i + 2]!);
  return sum / (part.length / 3);
}

/** pixel ← factor · pixel + (1 − factor) · other(pixel) */
function blend(part: Uint8Array, factor: number, other: (r: number, g: number, b: number) => number): void {
  for (let i = 0; i < part.length; i += 3) {
    const rest = (1 - factor) * other(part[i]!, part[i + 1]!, part[i + 2]!);
    for (let c = i; c < i + 3; c++) part[c] = clamp(factor * part[c]! + rest);
  }
}

/** Turns the hue of every pixel by a fraction of the circle (through HSV). */
function shiftHue(part: Uint8Array, turn: number): void {
  for (let i = 0; i < part.length; i += 3) {
    const [r, g, b] = [part[i]!, part[i + 1]!, part[i + 2]!];
    const top = Math.max(r, g, b);
    const chroma = top - Math.min(r, g, b);
    if (chroma === 0) continue;
    const sector = top === r ? (g - b) / chroma : top === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    const hue = (sector / 6 + turn + 2) % 1;
    for (let c = 0; c < 3; c++) {
      const k = (hue * 6 + (c === 0 ? 5 : c === 1 ? 3 : 1)) % 6;
      part[i + c] = clamp(top - chroma * Math.max(0, Math.min(k, 4 - k, 1)));
    }
  }
}

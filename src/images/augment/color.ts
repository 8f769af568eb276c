import { permutation, type Random } from '../../core/random.ts';
import type { Augment } from './options.ts';

const gray = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;
const toByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : (value + 0.5) | 0);

/** Brightness, contrast, saturation and hue in random order (as torchvision's ColorJitter), in place, on `count` RGB or gray pixels from `offset`. Gray ones have no saturation and no hue. */
export function jitterColors(
  pixels: Uint8Array,
  offset: number,
  count: number,
  options: NonNullable<Augment['colorJitter']>,
  rng: Random,
  channels = 3,
): void {
  const colored = channels === 3;
  const factor = (strength: number): number => {
    const low = Math.max(0, 1 - strength);
    return low + (1 + strength - low) * rng.uniform();
  };
  const part = pixels.subarray(offset, offset + count * channels);
  for (const which of permutation(4, rng)) {
    if (which === 0 && options.brightness > 0) blend(part, factor(options.brightness), 0);
    else if (which === 1 && options.contrast > 0)
      blend(part, factor(options.contrast), colored ? meanGray(part) : mean(part));
    else if (which === 2 && colored && options.saturation > 0) saturate(part, factor(options.saturation));
    else if (which === 3 && colored && options.hue > 0) shiftHue(part, (2 * rng.uniform() - 1) * options.hue);
  }
}

const mean = (part: Uint8Array): number => part.reduce((sum, value) => sum + value, 0) / part.length;

function meanGray(part: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < part.length; i += 3) sum += gray(part[i]!, part[i + 1]!, part[i + 2]!);
  return sum / (part.length / 3);
}

const table = new Uint8Array(256);

/** value ← factor · value + (1 − factor) · level */
function blend(part: Uint8Array, factor: number, level: number): void {
  const rest = (1 - factor) * level;
  for (let value = 0; value < 256; value++) table[value] = toByte(factor * value + rest);
  for (let i = 0; i < part.length; i++) part[i] = table[part[i]!]!;
}

/** pixel ← factor · pixel + (1 − factor) · its gray */
function saturate(part: Uint8Array, factor: number): void {
  for (let i = 0; i < part.length; i += 3) {
    const r = part[i]!;
    const g = part[i + 1]!;
    const b = part[i + 2]!;
    const rest = (1 - factor) * gray(r, g, b);
    part[i] = toByte(factor * r + rest);
    part[i + 1] = toByte(factor * g + rest);
    part[i + 2] = toByte(factor * b + rest);
  }
}

/** Turns the hue of every pixel by a fraction of the circle (through HSV). */
function shiftHue(part: Uint8Array, turn: number): void {
  for (let i = 0; i < part.length; i += 3) {
    const r = part[i]!;
    const g = part[i + 1]!;
    const b = part[i + 2]!;
    const top = Math.max(r, g, b);
    const chroma = top - Math.min(r, g, b);
    if (chroma === 0) continue;
    const sector = top === r ? (g - b) / chroma : top === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    const turned = sector + 6 * turn + 12;
    part[i] = hueChannel(turned + 5, top, chroma);
    part[i + 1] = hueChannel(turned + 3, top, chroma);
    part[i + 2] = hueChannel(turned + 1, top, chroma);
  }
}

/** HSV → one channel; `k` is the hue in sixths of the circle plus the channel's offset, not negative. */
function hueChannel(k: number, top: number, chroma: number): number {
  const part = k - 6 * Math.floor(k / 6);
  return toByte(top - chroma * Math.max(0, Math.min(part, 4 - part, 1)));
}

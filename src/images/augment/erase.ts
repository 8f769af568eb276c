/** Random erasing (arXiv 1708.04896) with timm's options and ranges, on pixels that are not normalized yet. */
import { hashText, type Random, random } from '../../core/random.ts';
import type { Augment } from './options.ts';

/** Area of all rectangles together, as a share of the picture. */
const AREA = [0.02, 1 / 3] as const;
/** Smallest aspect ratio of a rectangle; the largest is its inverse. */
const ASPECT = 0.3;
const TRIES = 10;

/** Values to draw normal ones from: a third of a picture of them costs too much one by one. */
const noise = random(hashText('erase'));
const NORMALS = Float32Array.from({ length: 4096 }, () => noise.normal());

const toByte = (value: number): number => Math.max(0, Math.min(255, Math.round(255 * value)));

/** Covers rectangles of uint8 [size, size, C], with the given probability, in place. */
export function erase(pixels: Uint8Array, size: number, options: NonNullable<Augment['erase']>, rng: Random): void {
  const { probability, mode, count, mean, std } = options;
  if (rng.uniform() >= probability) return;
  const channels = pixels.length / (size * size);
  const between = (low: number, high: number): number => low + (high - low) * rng.uniform();
  const draw = (channel: number): number => toByte(mean[channel]! + std[channel]! * NORMALS[rng.int(NORMALS.length)]!);
  const rectangles = 1 + rng.int(count);
  for (let i = 0; i < rectangles; i++) {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const area = (between(...AREA) * size * size) / rectangles;
      const aspect = Math.exp(between(Math.log(ASPECT), -Math.log(ASPECT)));
      const height = Math.round(Math.sqrt(area * aspect));
      const width = Math.round(Math.sqrt(area / aspect));
      if (width >= size || height >= size) continue;
      const top = rng.int(size - height + 1);
      const left = rng.int(size - width + 1);
      const one = Array.from({ length: channels }, (_, c) => (mode === 'rand' ? draw(c) : toByte(mean[c]!)));
      for (let y = top; y < top + height; y++) {
        for (let x = left, at = (y * size + left) * channels; x < left + width; x++) {
          for (let c = 0; c < channels; c++, at++) pixels[at] = mode === 'pixel' ? draw(c) : one[c]!;
        }
      }
      break;
    }
  }
}

/** One training image: crop and resize in one pass, flip, affine, automatic operations, color, erasing; nothing outside the crop is touched. */
import type { Random } from '../../core/random.ts';
import { type PixelImage, resizeRegion } from '../resize.ts';
import { applyAffine, randomAffine } from './affine.ts';
import { autoAugment } from './auto-augment.ts';
import { jitterColors } from './color.ts';
import { randomCrop } from './crop.ts';
import { erase } from './erase.ts';
import type { Augment } from './options.ts';

export type { Augment } from './options.ts';

let before = new Uint8Array(0);

/** Writes an augmented [size, size, channels] picture of `source` into `out` at `offset`; `strength` is that of `options.auto`. */
export function augment(
  source: PixelImage,
  options: Augment,
  size: number,
  rng: Random,
  out: Uint8Array,
  offset: number,
  strength = 1,
): void {
  const box = randomCrop(source.width, source.height, options.cropScale, options.cropRatio, rng);
  const flip = rng.uniform() < options.hflip;
  const bytes = size * size * source.channels;
  if (options.affine) {
    if (before.length !== bytes) before = new Uint8Array(bytes);
    resizeRegion(source, box, { out: before, offset: 0, width: size, height: size, flip });
    applyAffine(
      before,
      out,
      offset,
      size,
      randomAffine(options.affine, size, rng),
      options.affine.fill,
      source.channels,
    );
  } else {
    resizeRegion(source, box, { out, offset, width: size, height: size, flip });
  }
  const pixels = out.subarray(offset, offset + bytes);
  if (options.auto) autoAugment(pixels, size, options.auto, strength, rng);
  if (options.colorJitter) jitterColors(out, offset, size * size, options.colorJitter, rng, source.channels);
  if (options.erase) erase(pixels, size, options.erase, rng);
}

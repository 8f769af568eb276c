/**
 * The one table of common corruptions, for measuring robustness. Names, and parameters of strengths 1 to 3, are those of
 * ImageNet-C's severities 1, 3 and 5 (Hendrycks & Dietterich, arXiv 1903.12261); the images are our own making, so numbers
 * compare with each other and not with published ones. Lengths in pixels are for images of 224 px and scale with the image.
 */
import { hashText, type Random, random } from '../../core/random.ts';
import { gaussianBlur, motionBlur } from './blur.ts';
import { jpegCompression } from './jpeg.ts';
import { brightness, contrast, fog } from './light.ts';
import { gaussianNoise, shotNoise } from './noise.ts';
import type { Pixels } from './pixels.ts';

/** Makes new pixels; the strength is the corruption's own parameter. */
type Corrupt = (pixels: Pixels, strength: number, rng: Random) => Uint8Array;

interface Corruption {
  readonly apply: Corrupt;
  /** Parameter of strengths 1, 2 and 3. */
  readonly strengths: readonly [number, number, number];
}

export type CorruptionName =
  | 'gaussian_noise'
  | 'shot_noise'
  | 'gaussian_blur'
  | 'motion_blur'
  | 'fog'
  | 'brightness'
  | 'contrast'
  | 'jpeg_compression';

export const CORRUPTIONS: Readonly<Record<CorruptionName, Corruption>> = {
  /** Standard deviation, of values in 0 … 1. */
  gaussian_noise: { apply: gaussianNoise, strengths: [0.08, 0.18, 0.38] },
  /** Photons of a white pixel. */
  shot_noise: { apply: shotNoise, strengths: [60, 12, 3] },
  /** Standard deviation in pixels. */
  gaussian_blur: { apply: gaussianBlur, strengths: [1, 3, 6] },
  /** Length of the stroke in pixels. */
  motion_blur: { apply: motionBlur, strengths: [8, 16, 28] },
  /** Weight of the fog beside the picture. */
  fog: { apply: fog, strengths: [1.5, 2.5, 3] },
  /** Added to the value of HSV, 0 … 1. */
  brightness: { apply: brightness, strengths: [0.1, 0.3, 0.5] },
  /** What is left of the distance from the mean. */
  contrast: { apply: contrast, strengths: [0.4, 0.2, 0.05] },
  /** Quality of JPEG. */
  jpeg_compression: { apply: jpegCompression, strengths: [25, 15, 7] },
};

export type Strength = 1 | 2 | 3;

export const CORRUPTION_NAMES: readonly CorruptionName[] = Object.keys(CORRUPTIONS) as CorruptionName[];
export const STRENGTHS: readonly Strength[] = [1, 2, 3];

/**
 * Corrupts an image. What is random in it depends on name, strength and the image's own bytes, not on where it stands in a
 * data set: the same image is corrupted the same way for every model and split.
 */
export function corrupt(pixels: Pixels, name: CorruptionName, strength: Strength): Uint8Array {
  const { apply, strengths } = CORRUPTIONS[name];
  return apply(pixels, strengths[strength - 1]!, random(hashText(name), strength, hashBytes(pixels.data)));
}

/** FNV-1a. */
function hashBytes(data: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < data.length; i++) h = Math.imul(h ^ data[i]!, 0x01000193);
  return h >>> 0;
}

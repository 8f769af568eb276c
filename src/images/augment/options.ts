import type { EraseMode } from '../../recipe/recipe.ts';

/** What training does to an image, all drawn from the sample's own random stream. */
export interface Augment {
  /** Area of the random crop as a fraction of the image (torchvision's RandomResizedCrop). */
  readonly cropScale: readonly [number, number];
  /** Aspect ratio of the random crop. */
  readonly cropRatio: readonly [number, number];
  /** Probability of a horizontal flip. */
  readonly hflip: number;
  /** Rotation ± degrees, shift ± fraction of the size, scale range, shear ± degrees. */
  readonly affine?: {
    readonly degrees: number;
    readonly translate: number;
    readonly scale: readonly [number, number];
    readonly shear?: number;
    /** What lies outside the picture: its border continued (default) or white. */
    readonly fill?: 'border' | 'white';
  };
  /** Strengths as torchvision's ColorJitter: factors from max(0, 1 − s) to 1 + s; hue is a fraction of the circle, ± up to 0.5. */
  readonly colorJitter?: {
    readonly brightness: number;
    readonly contrast: number;
    readonly saturation: number;
    readonly hue: number;
  };
  /** A learned or random sequence of operations; RandAugment: how many, and their magnitude from 0 to 30. */
  readonly auto?:
    | { readonly policy: 'autoaugment' }
    | { readonly policy: 'randaugment'; readonly ops: number; readonly magnitude: number };
  /** Rectangles, up to `count`, covered by the mean color, by one random color each, or by random pixels. */
  readonly erase?: {
    readonly probability: number;
    readonly mode: EraseMode;
    readonly count: number;
    /** Per channel, of values in 0 … 1: random values have this mean and deviation. */
    readonly mean: readonly number[];
    readonly std: readonly number[];
  };
}

/**
 * The one table of AutoAugment's and RandAugment's operations, in place on uint8 [size, size, C], equal to what
 * torchvision does to Pillow images by default (nearest neighbors, black outside), as are their magnitudes.
 */
import { brightness, color, contrast, lookUp, sharpness } from './enhance.ts';
import { rotate, transform } from './geometry.ts';
import { autoContrast, equalize } from './levels.ts';

export const OP_NAMES = [
  'Identity',
  'ShearX',
  'ShearY',
  'TranslateX',
  'TranslateY',
  'Rotate',
  'Brightness',
  'Color',
  'Contrast',
  'Sharpness',
  'Posterize',
  'Solarize',
  'AutoContrast',
  'Equalize',
  'Invert',
] as const;

export type OpName = (typeof OP_NAMES)[number];

export interface ImageOp {
  /** The value at a strength from 0 to 1 (torchvision's bins, first to last); none for operations without strength. */
  readonly magnitude?: (strength: number, size: number) => number;
  /** The magnitude is taken negative half of the time. */
  readonly signed?: boolean;
  /** Applies the operation with a magnitude. */
  readonly apply: (pixels: Uint8Array, size: number, magnitude: number) => void;
}

const upTo =
  (limit: number) =>
  (strength: number): number =>
    limit * strength;
/** 150 of the 331 pixels that AutoAugment was searched with. */
const shift = (strength: number, size: number): number => (150 / 331) * size * strength;

type Enhance = (pixels: Uint8Array, size: number, factor: number) => void;
const enhanced = (enhance: Enhance): ImageOp => ({
  signed: true,
  magnitude: upTo(0.9),
  apply: (pixels, size, magnitude) => enhance(pixels, size, 1 + magnitude),
});

export const OPS: Readonly<Record<OpName, ImageOp>> = {
  Identity: { apply: () => {} },
  ShearX: { signed: true, magnitude: upTo(0.3), apply: (p, size, m) => transform(p, size, [1, m, 0, 0, 1, 0]) },
  ShearY: { signed: true, magnitude: upTo(0.3), apply: (p, size, m) => transform(p, size, [1, 0, 0, m, 1, 0]) },
  TranslateX: {
    signed: true,
    magnitude: shift,
    apply: (p, size, m) => transform(p, size, [1, 0, -Math.trunc(m), 0, 1, 0]),
  },
  TranslateY: {
    signed: true,
    magnitude: shift,
    apply: (p, size, m) => transform(p, size, [1, 0, 0, 0, 1, -Math.trunc(m)]),
  },
  Rotate: { signed: true, magnitude: upTo(30), apply: rotate },
  Brightness: enhanced(brightness),
  Color: enhanced(color),
  Contrast: enhanced(contrast),
  Sharpness: enhanced(sharpness),
  Posterize: {
    magnitude: (strength) => 8 - Math.round(4 * strength),
    apply: (p, _, bits) => lookUp(p, (value) => value & (256 - 2 ** (8 - bits))),
  },
  Solarize: {
    magnitude: (strength) => 255 - 255 * strength,
    apply: (p, _, threshold) => lookUp(p, (value) => (value < threshold ? value : 255 - value)),
  },
  AutoContrast: { apply: autoContrast },
  Equalize: { apply: equalize },
  Invert: { apply: (p) => lookUp(p, (value) => 255 - value) },
};

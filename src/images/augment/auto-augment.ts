/** AutoAugment's ImageNet policy (arXiv 1805.09501) and RandAugment (arXiv 1909.13719), as torchvision draws them. */
import type { Random } from '../../core/random.ts';
import { OP_NAMES, OPS, type OpName } from './ops.ts';
import type { Augment } from './options.ts';

/** An operation, its probability, and its magnitude's bin of AutoAugment's ten (0 where it has none). */
type Choice = readonly [op: OpName, probability: number, bin: number];

/** The 25 sub-policies found on ImageNet (their Table 9); one is drawn for each image. */
// biome-ignore format: a table
export const IMAGENET_POLICY: readonly (readonly [Choice, Choice])[] = [
  [['Posterize', 0.4, 8], ['Rotate', 0.6, 9]],
  [['Solarize', 0.6, 5], ['AutoContrast', 0.6, 0]],
  [['Equalize', 0.8, 0], ['Equalize', 0.6, 0]],
  [['Posterize', 0.6, 7], ['Posterize', 0.6, 6]],
  [['Equalize', 0.4, 0], ['Solarize', 0.2, 4]],
  [['Equalize', 0.4, 0], ['Rotate', 0.8, 8]],
  [['Solarize', 0.6, 3], ['Equalize', 0.6, 0]],
  [['Posterize', 0.8, 5], ['Equalize', 1, 0]],
  [['Rotate', 0.2, 3], ['Solarize', 0.6, 8]],
  [['Equalize', 0.6, 0], ['Posterize', 0.4, 6]],
  [['Rotate', 0.8, 8], ['Color', 0.4, 0]],
  [['Rotate', 0.4, 9], ['Equalize', 0.6, 0]],
  [['Equalize', 0, 0], ['Equalize', 0.8, 0]],
  [['Invert', 0.6, 0], ['Equalize', 1, 0]],
  [['Color', 0.6, 4], ['Contrast', 1, 8]],
  [['Rotate', 0.8, 8], ['Color', 1, 2]],
  [['Color', 0.8, 8], ['Solarize', 0.8, 7]],
  [['Sharpness', 0.4, 7], ['Invert', 0.6, 0]],
  [['ShearX', 0.6, 5], ['Equalize', 1, 0]],
  [['Color', 0.4, 0], ['Equalize', 0.6, 0]],
  [['Equalize', 0.4, 0], ['Solarize', 0.2, 4]],
  [['Solarize', 0.6, 5], ['AutoContrast', 0.6, 0]],
  [['Invert', 0.6, 0], ['Equalize', 1, 0]],
  [['Color', 0.6, 4], ['Contrast', 1, 8]],
  [['Equalize', 0.8, 0], ['Equalize', 0.6, 0]],
];

/** Bins of RandAugment's magnitude: m = 30 is the strongest. */
export const RAND_AUGMENT_BINS = 31;

/** RandAugment draws from all operations but Invert, as in torchvision. */
const RAND_AUGMENT_OPS = OP_NAMES.filter((name) => name !== 'Invert');

function apply(name: OpName, strength: number, pixels: Uint8Array, size: number, rng: Random): void {
  const { magnitude, signed, apply } = OPS[name];
  const sign = signed && rng.int(2) === 0 ? -1 : 1;
  apply(pixels, size, sign * (magnitude?.(strength, size) ?? 0));
}

/** Applies what is drawn to uint8 [size, size, C], in place; `strength` (0 to 1) scales all magnitudes. */
export function autoAugment(
  pixels: Uint8Array,
  size: number,
  options: NonNullable<Augment['auto']>,
  strength: number,
  rng: Random,
): void {
  if (options.policy === 'randaugment') {
    const level = (strength * options.magnitude) / (RAND_AUGMENT_BINS - 1);
    for (let n = 0; n < options.ops; n++)
      apply(RAND_AUGMENT_OPS[rng.int(RAND_AUGMENT_OPS.length)]!, level, pixels, size, rng);
    return;
  }
  for (const [name, probability, bin] of IMAGENET_POLICY[rng.int(IMAGENET_POLICY.length)]!)
    if (rng.uniform() < probability) apply(name, (strength * bin) / 9, pixels, size, rng);
}

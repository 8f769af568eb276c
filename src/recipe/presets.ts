/** Named starting points: what each changes against the defaults, and whom it is for. */
import { closestMatch, UserError } from '../core/errors.ts';
import type { Recipe } from './recipe.ts';

export interface Preset {
  readonly text: string;
  readonly values: Partial<Recipe>;
  /** What else it changes for a variant. */
  readonly variants?: Readonly<Record<string, Partial<Recipe>>>;
}

/** MMPretrain's phases of 300 epochs: 160 px, from epoch 37 on 192, from 112 on 224. */
const MM_PHASES = { progressive: null, phase_starts: [37 / 300, 112 / 300] } as const;
/** Its RandAugment: two operations of magnitude 7 of 10. */
const MM_AUGMENT = { auto_augment: 'randaugment', rand_augment_n: 2, rand_augment_m: 21 } as const;
const MM_LARGE: Partial<Recipe> = { ...MM_PHASES, ...MM_AUGMENT, auto_augment_strength: [0.3, 0.7, 1] };

/** Chosen on ten classes of clothes (docs/log.md). */
const FINETUNE: Partial<Recipe> = {
  epochs: 5,
  size: 160,
  lr: 0.001,
  head_lr_scale: 20,
  warmup_epochs: 0.5,
  nesterov: true,
  freeze_bn: true,
  clip_grad: 2,
  ema_decay: 0.99,
  crop_scale_min: 0.5,
};

export const PRESETS: Readonly<Record<string, Preset>> = {
  paper: {
    text: "The paper's ImageNet recipe (§4.1): the defaults, with images that grow in three phases and, for s2, s3 and s4, AutoAugment that grows stronger with them. (Its batch is 256; lr is in proportion to yours.)",
    values: { auto_augment: null, auto_augment_strength: [0.3, 0.7, 1], progressive: null },
  },
  mmpretrain: {
    text: "MMPretrain's ImageNet recipe, which reproduced the paper (71.3 to 79.7 %): five epochs of warm-up, RandAugment for s1 and, rising, for s2, s3 and s4, whose images grow too (and s1's). Its learning rates never reach zero.",
    values: { warmup_epochs: 5, min_lr: 1e-6 },
    variants: { s1: { ...MM_PHASES, ...MM_AUGMENT }, s2: MM_LARGE, s3: MM_LARGE, s4: MM_LARGE },
  },
  finetune: {
    text: 'A model that knows other images (--pretrained), on yours: few epochs at gentle rates, BN statistics as they were.',
    values: FINETUNE,
  },
  'small-data': {
    text: 'A few hundred to a few thousand images, from scratch. What such runs lack is steps: small batches and AdamW make more of an epoch, crops keep the subject in view, nothing is smoothed, and the average forgets sooner.',
    values: {
      epochs: 60,
      size: 128,
      batch_size: 16,
      optimizer: 'adamw',
      lr: 0.002,
      warmup_epochs: 1,
      weight_decay: 0.02,
      weight_decay_end: 0.002,
      label_smoothing: 0,
      ema_decay: 0.998,
      crop_scale_min: 0.35,
    },
  },
  quick: {
    text: 'A first look within minutes: small images, few epochs.',
    values: {
      epochs: 10,
      size: 96,
      lr: 0.05,
      warmup_epochs: 1,
      nesterov: true,
      ema_decay: 0.99,
      crop_scale_min: 0.35,
      recalibrate_images: 512,
    },
  },
};

/** The preset of that name; an unknown one gets a close-match hint. */
export function findPreset(name: string): Preset {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset) return preset;
  const names = Object.keys(PRESETS);
  const near = closestMatch(name, names);
  throw new UserError(
    `There is no preset "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${names.join(', ')}.`,
    2,
  );
}

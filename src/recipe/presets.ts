/** Named starting points: what each changes against the defaults, and whom it is for. */
import { closestMatch, UserError } from '../core/errors.ts';
import type { Recipe } from './recipe.ts';

export interface Preset {
  readonly text: string;
  readonly values: Partial<Recipe>;
}

export const PRESETS: Readonly<Record<string, Preset>> = {
  paper: {
    text: "The paper's ImageNet recipe (§4.1): the defaults, with images that grow in three phases and, for s2, s3 and s4, AutoAugment that grows stronger with them. (Its batch is 256; lr is in proportion to yours.)",
    values: { auto_augment: null, auto_augment_strength: [0.3, 0.7, 1], progressive: null },
  },
  'small-data': {
    text: 'A few hundred to a few thousand images, from scratch: milder crops keep the subject in view, variety comes from rotation and color, and the average forgets sooner.',
    values: {
      epochs: 60,
      size: 128,
      lr: 0.05,
      warmup_epochs: 3,
      nesterov: true,
      weight_decay: 5e-4,
      weight_decay_end: 5e-5,
      ema_decay: 0.998,
      crop_scale_min: 0.35,
      rotate: 10,
      brightness: 0.2,
      contrast: 0.2,
      saturation: 0.2,
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

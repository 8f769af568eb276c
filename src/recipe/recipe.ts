/** Everything that decides a training run, as one frozen object. Names are the papers' and timm's; see `fields.ts`. */

/** Per-stage numbers, stages 1 to 4. */
export type FourNumbers = readonly [number, number, number, number];

export type OptimizerName = 'sgd' | 'adamw';

export type LossName = 'ce' | 'bce';

export type AutoAugmentName = 'none' | 'autoaugment' | 'randaugment';

export type EraseMode = 'const' | 'rand' | 'pixel';

/** What is done to training images; `null` means "auto". */
export interface AugmentationRecipe {
  readonly crop_scale_min: number;
  readonly crop_ratio: number;
  readonly hflip: number;
  readonly rotate: number;
  readonly translate: number;
  readonly scale: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
  readonly auto_augment: AutoAugmentName | null;
  readonly auto_augment_strength: readonly number[];
  readonly rand_augment_n: number;
  readonly rand_augment_m: number;
  readonly progressive: readonly number[] | null;
  readonly phase_starts: readonly number[] | null;
  readonly reprob: number;
  readonly remode: EraseMode;
  readonly recount: number;
  readonly mixup: number;
  readonly cutmix: number;
  readonly mixup_prob: number;
  readonly mixup_switch_prob: number;
}

/** `null` means "auto": taken from the variant, the batch size or the machine, as the field's text says. */
export interface Recipe extends AugmentationRecipe {
  readonly variant: string;
  readonly size: number;
  readonly in_chans: number;
  readonly mean: readonly number[] | null;
  readonly std: readonly number[] | null;
  readonly num_conv_branches: number | null;
  readonly depths: FourNumbers | null;
  readonly widths: FourNumbers | null;
  readonly se_blocks: FourNumbers | null;

  readonly epochs: number;
  readonly batch_size: number;
  readonly micro_batch_size: number | null;
  readonly optimizer: OptimizerName;
  readonly lr: number | null;
  readonly min_lr: number;
  readonly warmup_epochs: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly beta1: number;
  readonly beta2: number;
  readonly opt_eps: number;
  readonly weight_decay: number;
  readonly weight_decay_end: number;
  readonly label_smoothing: number;
  readonly ema_decay: number;
  readonly clip_grad: number;
  readonly loss: LossName | null;
  readonly class_weights: 'none' | 'balanced';
  readonly sampler: 'shuffle' | 'balanced';
  readonly patience: number;

  readonly freeze_stages: number;
  readonly freeze_bn: boolean;
  readonly layer_decay: number;
  readonly head_lr_scale: number;

  readonly teacher: string | null;
  readonly distill: 'soft' | 'dist';
  readonly distill_alpha: number;
  readonly distill_temperature: number;
  readonly teacher_size: number | null;
  readonly teacher_preprocess: 'imagenet' | 'inception' | 'unit' | 'bytes' | null;

  readonly val_fraction: number;
  readonly crop_pct: number;
  readonly recalibrate_images: number;

  readonly seed: number;
  readonly engine: string;
  readonly threads: number | null;
  readonly workers: number | null;
  readonly checkpoint_every: number;
}

export type FieldName = keyof Recipe;

/**
 * The learning rate a run starts from: the recipe's, or by its optimizer 0.1 per 256 images of batch (paper §4.1), or
 * PyTorch's 0.001 at 64 images, growing with the root of the batch (Malladi et al., arXiv 2205.10287).
 */
export function baseLearningRate({ lr, optimizer, batch_size }: Recipe): number {
  return lr ?? (optimizer === 'adamw' ? 0.001 * Math.sqrt(batch_size / 64) : (0.1 * batch_size) / 256);
}

/** Images that a run of the training step sees. */
export function microBatchSize({ micro_batch_size, batch_size }: Recipe): number {
  return micro_batch_size ?? batch_size;
}

/** The automatic augmentation of a run; auto is the paper's choice (§4.1): none for S0 and S1, AutoAugment for larger ones. */
export function autoAugmentOf({ auto_augment, variant }: Recipe): AutoAugmentName {
  return auto_augment ?? (['s2', 's3', 's4'].includes(variant) ? 'autoaugment' : 'none');
}

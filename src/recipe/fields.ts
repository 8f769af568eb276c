/**
 * The one table of recipe fields: defaults, ranges, flags, documentation and JSON schema are all made from it.
 * Defaults are the paper's recipe (§4.1), but for the batch (256 images at 224 px take 2.8 GB of memory), the phases and
 * AutoAugment, which the preset `paper` adds.
 */
import type { FieldName, FourNumbers, Recipe } from './recipe.ts';

export type FieldGroup =
  | 'model'
  | 'optimization'
  | 'fine-tuning'
  | 'distillation'
  | 'augmentation'
  | 'evaluation'
  | 'run';

interface FieldBase<T> {
  readonly group: FieldGroup;
  readonly default: T;
  /** One sentence: meaning, unit, what switches it off. */
  readonly text: string;
  /** What `auto` means; only for fields that may be null. */
  readonly auto?: string;
  /** Another flag for the field. */
  readonly alias?: string;
}

export interface NumberField<T> extends FieldBase<T> {
  readonly type: 'integer' | 'number';
  readonly min: number;
  readonly max?: number;
  /** `min` itself is not allowed. */
  readonly above?: boolean;
  /** `max` itself is not allowed. */
  readonly below?: boolean;
}

export interface FourField<T> extends FieldBase<T> {
  readonly type: 'four-integers' | 'four-numbers';
  readonly min: number;
  readonly above?: boolean;
}

/** A list of any length; an empty one is written `none`. */
export interface ListField<T> extends FieldBase<T> {
  readonly type: 'integers' | 'numbers';
  readonly min: number;
  readonly max?: number;
  readonly above?: boolean;
  readonly below?: boolean;
  /** Whether the list may be empty. */
  readonly none?: boolean;
}

export interface BooleanField<T> extends FieldBase<T> {
  readonly type: 'boolean';
}

export interface TextField<T> extends FieldBase<T> {
  readonly type: 'text';
  readonly choices?: readonly string[];
}

/** The kinds of field that may hold a `T`. */
export type FieldOf<T> = [NonNullable<T>] extends [number]
  ? NumberField<T>
  : [NonNullable<T>] extends [boolean]
    ? BooleanField<T>
    : [NonNullable<T>] extends [FourNumbers]
      ? FourField<T>
      : [NonNullable<T>] extends [readonly number[]]
        ? ListField<T>
        : TextField<T>;

export type Field = { [K in FieldName]: FieldOf<Recipe[K]> }[FieldName];

export const FIELDS: { readonly [K in FieldName]: FieldOf<Recipe[K]> } = {
  variant: { group: 'model', type: 'text', default: 's0', text: 'The MobileOne variant: s0, s1, s2, s3 or s4.' },
  size: {
    group: 'model',
    type: 'integer',
    default: 224,
    min: 32,
    max: 1024,
    text: 'Side of the square image the network sees, in pixels.',
  },
  num_conv_branches: {
    group: 'model',
    type: 'integer',
    default: null,
    min: 1,
    max: 16,
    alias: 'k',
    auto: "the variant's (s0: 4, others: 1)",
    text: 'k, the conv branches of every block during training (paper §3.2, Table 6); fusing removes them.',
  },
  depths: {
    group: 'model',
    type: 'four-integers',
    default: null,
    min: 1,
    auto: "the variant's (2, 8, 10, 1)",
    text: 'Blocks in each of the four stages.',
  },
  widths: {
    group: 'model',
    type: 'four-numbers',
    default: null,
    min: 0,
    above: true,
    auto: "the variant's",
    text: 'Width multipliers of the 64, 128, 256 and 512 channels of the stages.',
  },
  se_blocks: {
    group: 'model',
    type: 'four-integers',
    default: null,
    min: 0,
    auto: "the variant's (only s4 has any)",
    text: "How many of each stage's last blocks carry squeeze-and-excite.",
  },

  epochs: {
    group: 'optimization',
    type: 'integer',
    default: 300,
    min: 1,
    text: 'Passes over the training images.',
  },
  batch_size: {
    group: 'optimization',
    type: 'integer',
    default: 32,
    min: 2,
    text: 'Images a step. The paper uses 256; lr scales with it, so a smaller batch follows the same recipe.',
  },
  micro_batch_size: {
    group: 'optimization',
    type: 'integer',
    default: null,
    min: 2,
    auto: 'batch_size',
    text: 'Images held in memory at once; must divide batch_size. Gradients of the micro-batches are added up before each update (gradient accumulation); BN statistics are those of each micro-batch.',
  },
  optimizer: {
    group: 'optimization',
    type: 'text',
    default: 'sgd',
    choices: ['sgd', 'adamw'],
    text: 'What updates the weights: sgd with momentum, or adamw (Adam with decoupled weight decay, as in PyTorch).',
  },
  lr: {
    group: 'optimization',
    type: 'number',
    default: null,
    min: 0,
    above: true,
    auto: '0.1 · batch_size / 256 for sgd, 0.001 · √(batch_size / 64) for adamw',
    text: 'Learning rate after warm-up (absolute, for the batch as it is); follows a cosine down to min_lr.',
  },
  min_lr: {
    group: 'optimization',
    type: 'number',
    default: 0,
    min: 0,
    text: 'Learning rate at the end of the cosine.',
  },
  warmup_epochs: {
    group: 'optimization',
    type: 'number',
    default: 0,
    min: 0,
    text: 'Epochs over which lr rises linearly from zero; may be a fraction. 0 switches it off.',
  },
  momentum: {
    group: 'optimization',
    type: 'number',
    default: 0.9,
    min: 0,
    max: 1,
    below: true,
    text: "SGD's momentum.",
  },
  nesterov: { group: 'optimization', type: 'boolean', default: false, text: "SGD in Nesterov's form of momentum." },
  beta1: {
    group: 'optimization',
    type: 'number',
    default: 0.9,
    min: 0,
    max: 1,
    below: true,
    text: "AdamW's decay of the average gradient.",
  },
  beta2: {
    group: 'optimization',
    type: 'number',
    default: 0.999,
    min: 0,
    max: 1,
    below: true,
    text: "AdamW's decay of the average squared gradient.",
  },
  opt_eps: {
    group: 'optimization',
    type: 'number',
    default: 1e-8,
    min: 1e-30,
    text: "AdamW's epsilon, added to the root of the average squared gradient.",
  },
  weight_decay: {
    group: 'optimization',
    type: 'number',
    default: 1e-4,
    min: 0,
    text: 'Weight decay at the start; norm parameters and biases get none. A usual value for adamw is 0.05.',
  },
  weight_decay_end: {
    group: 'optimization',
    type: 'number',
    default: 1e-5,
    min: 0,
    text: 'Weight decay at the end, reached by a cosine. Equal to weight_decay: constant.',
  },
  label_smoothing: {
    group: 'optimization',
    type: 'number',
    default: 0.1,
    min: 0,
    max: 1,
    below: true,
    text: 'Share of the target spread evenly over all classes. 0 switches it off.',
  },
  ema_decay: {
    group: 'optimization',
    type: 'number',
    default: 0.9995,
    min: 0,
    max: 1,
    below: true,
    text: 'Decay of the moving average of the weights, which is what is evaluated and kept; min(decay, (1 + t) / (10 + t)) at step t. 0 switches it off.',
  },

  clip_grad: {
    group: 'optimization',
    type: 'number',
    default: 0,
    min: 0,
    text: 'Largest L2 norm of the gradient over all weights; a longer one is shortened to it. 0 switches it off.',
  },
  loss: {
    group: 'optimization',
    type: 'text',
    default: null,
    choices: ['ce', 'bce'],
    auto: 'ce, and bce for images with several labels',
    text: 'ce: softmax cross-entropy, one label an image. bce: binary cross-entropy, a yes or no for each class.',
  },
  class_weights: {
    group: 'optimization',
    type: 'text',
    default: 'none',
    choices: ['none', 'balanced'],
    text: 'balanced: an image counts for as much more in the loss as its class is rarer than the average class.',
  },
  sampler: {
    group: 'optimization',
    type: 'text',
    default: 'shuffle',
    choices: ['shuffle', 'balanced'],
    text: 'shuffle: every image once an epoch. balanced: as many images, drawn so that all classes come equally often.',
  },
  patience: {
    group: 'optimization',
    type: 'integer',
    default: 0,
    min: 0,
    text: 'Early stopping: training ends when validation has not improved for so many epochs. 0 switches it off.',
  },

  freeze_stages: {
    group: 'fine-tuning',
    type: 'integer',
    default: 0,
    min: 0,
    max: 5,
    text: 'Leave the first parts of the network as they are, BN statistics included: 1 the stem, 2 to 5 also that many less one stages; 5 trains the classifier alone. Frozen parts run fused, so they cost little.',
  },
  freeze_bn: {
    group: 'fine-tuning',
    type: 'boolean',
    default: false,
    text: "BatchNorm keeps the statistics of the weights it begins with and uses them in training (mmpretrain's norm_eval); its weights and biases go on learning. For small batches and few images.",
  },
  layer_decay: {
    group: 'fine-tuning',
    type: 'number',
    default: 1,
    min: 0,
    above: true,
    max: 1,
    text: 'Discriminative rates: each part of the network (classifier, stage 4 … 1, stem) learns at this multiple of the rate of the part after it. 1: all alike.',
  },

  teacher: {
    group: 'distillation',
    type: 'text',
    default: null,
    auto: 'none',
    text: 'A model to learn from: a run folder, a model file of ours, or any ONNX classifier with the same classes.',
  },
  distill: {
    group: 'distillation',
    type: 'text',
    default: 'soft',
    choices: ['soft', 'dist'],
    text: "soft: match the teacher's softened probabilities (Hinton et al., arXiv 1503.02531). dist: match how they correlate, over classes and over images (DIST, arXiv 2205.10536).",
  },
  distill_alpha: {
    group: 'distillation',
    type: 'number',
    default: 0.9,
    min: 0,
    max: 1,
    text: "The teacher's share of the loss; the labels have the rest. 1: labels are not used (MEAL V2, arXiv 2009.08453).",
  },
  distill_temperature: {
    group: 'distillation',
    type: 'number',
    default: 2,
    min: 0,
    above: true,
    text: 'Logits of teacher and student are divided by it before the softmax; higher values show more of what the teacher finds similar.',
  },
  teacher_size: {
    group: 'distillation',
    type: 'integer',
    default: null,
    min: 16,
    max: 1024,
    auto: "the size fixed in an ONNX file, else the student's",
    text: 'Side of the images that the teacher sees, in pixels; the batch is resized for it.',
  },
  teacher_preprocess: {
    group: 'distillation',
    type: 'text',
    default: null,
    choices: ['imagenet', 'inception', 'unit', 'bytes'],
    auto: 'what the file does itself, else imagenet',
    text: 'What an ONNX teacher without preprocessing inside expects: (x / 255 − mean) / std with the values of ImageNet, x / 127.5 − 1, x / 255, or x itself.',
  },

  crop_scale_min: {
    group: 'augmentation',
    type: 'number',
    default: 0.08,
    min: 0,
    above: true,
    max: 1,
    text: 'Smallest share of the image area that a random crop keeps. 1 crops nothing but the aspect ratio.',
  },
  crop_ratio: {
    group: 'augmentation',
    type: 'number',
    default: 4 / 3,
    min: 1,
    max: 10,
    text: 'Largest aspect ratio of a random crop; the smallest is its inverse. 1 keeps crops square.',
  },
  hflip: {
    group: 'augmentation',
    type: 'number',
    default: 0.5,
    min: 0,
    max: 1,
    text: 'Probability of a left-right flip. 0 where left and right mean something (digits, text, arrows).',
  },
  rotate: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 180,
    text: 'Random rotation, up to so many degrees either way. 0 switches it off.',
  },
  translate: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    text: 'Random shift, up to this share of the side either way. 0 switches it off.',
  },
  scale: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    below: true,
    text: 'Random zoom by a factor between 1 − scale and 1 + scale. 0 switches it off.',
  },
  brightness: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    text: 'Color jitter: brightness times a factor in 1 ± this. 0 switches it off.',
  },
  contrast: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    text: 'Color jitter: contrast times a factor in 1 ± this. 0 switches it off.',
  },
  saturation: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    text: 'Color jitter: saturation times a factor in 1 ± this. 0 switches it off.',
  },
  hue: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 0.5,
    text: 'Color jitter: hue shifted by up to this share of the color circle. 0 switches it off.',
  },
  auto_augment: {
    group: 'augmentation',
    type: 'text',
    default: 'none',
    choices: ['none', 'autoaugment', 'randaugment'],
    auto: "the paper's for the variant (s2, s3 and s4: autoaugment, others: none)",
    text: "Automatic operations after crop and flip: autoaugment (its ImageNet policy) or randaugment, both as torchvision's defaults (nearest neighbors, black outside).",
  },
  auto_augment_strength: {
    group: 'augmentation',
    type: 'numbers',
    default: [1],
    min: 0,
    max: 1,
    text: 'Factor of all magnitudes of auto_augment: one number, or one for each phase of the run (paper: 0.3,0.7,1).',
  },
  rand_augment_n: {
    group: 'augmentation',
    type: 'integer',
    default: 2,
    min: 1,
    max: 20,
    text: 'Operations that randaugment applies to an image.',
  },
  rand_augment_m: {
    group: 'augmentation',
    type: 'number',
    default: 9,
    min: 0,
    max: 30,
    text: 'Magnitude of randaugment, of 30.',
  },
  progressive: {
    group: 'augmentation',
    type: 'integers',
    default: [],
    min: 32,
    max: 1024,
    none: true,
    auto: "the paper's 160,192,224 in proportion to size",
    text: 'Sides of the training images by phase, the last one equal to size: small images first make early epochs fast. Evaluation is always at size.',
  },
  phase_starts: {
    group: 'augmentation',
    type: 'numbers',
    default: null,
    min: 0,
    above: true,
    max: 1,
    below: true,
    auto: "three phases: the paper's 0.125,0.375 (epochs 38 and 113 of 300); another number of phases: equal parts",
    text: 'Where the second and further phases of the run begin, as shares of its epochs.',
  },
  reprob: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    text: 'Random erasing: probability that rectangles of an image (2 to 33 % of it) are covered. 0 switches it off.',
  },
  remode: {
    group: 'augmentation',
    type: 'text',
    default: 'pixel',
    choices: ['const', 'rand', 'pixel'],
    text: 'What erased rectangles are covered with: const (the mean color), rand (a random color each) or pixel (random pixels).',
  },
  recount: {
    group: 'augmentation',
    type: 'integer',
    default: 1,
    min: 1,
    max: 100,
    text: 'Most rectangles that are erased from an image; they share the area.',
  },
  mixup: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    text: 'Mixup: α of the Beta(α, α) from which the share is drawn with which the images of a batch, and their targets, are mixed. 0 switches it off.',
  },
  cutmix: {
    group: 'augmentation',
    type: 'number',
    default: 0,
    min: 0,
    text: 'Cutmix: α of the Beta(α, α) from which the area is drawn that images take from one another, with that share of the target. 0 switches it off.',
  },
  mixup_prob: {
    group: 'augmentation',
    type: 'number',
    default: 1,
    min: 0,
    max: 1,
    text: 'Probability that a batch is mixed, by mixup or cutmix.',
  },
  mixup_switch_prob: {
    group: 'augmentation',
    type: 'number',
    default: 0.5,
    min: 0,
    max: 1,
    text: 'Probability of cutmix, rather than mixup, for a mixed batch where both are on.',
  },

  val_fraction: {
    group: 'evaluation',
    type: 'number',
    default: 0.1,
    min: 0,
    above: true,
    max: 1,
    below: true,
    text: 'Share of each class held out for validation when the folder has no val/ of its own.',
  },
  crop_pct: {
    group: 'evaluation',
    type: 'number',
    default: 0.875,
    min: 0,
    above: true,
    max: 1,
    text: 'Evaluation resizes the short side to size / crop_pct and takes the center.',
  },
  recalibrate_images: {
    group: 'evaluation',
    type: 'integer',
    default: 1024,
    min: 0,
    text: 'Training images from which BN statistics are measured anew, for the averaged weights, before each evaluation. 0 keeps the running ones.',
  },

  seed: {
    group: 'run',
    type: 'integer',
    default: 0,
    min: 0,
    max: 2 ** 31 - 1,
    text: 'Names every random stream: initial weights, split, order, augmentation.',
  },
  engine: {
    group: 'run',
    type: 'text',
    default: 'wasm',
    choices: ['wasm', 'reference'],
    text: 'What computes: wasm (fast), or reference (float64, slow, for checking).',
  },
  threads: {
    group: 'run',
    type: 'integer',
    default: null,
    min: 1,
    max: 256,
    auto: 'as many as the process may use cores, at most 8',
    text: 'Threads of the engine. The same number gives bit-identical results.',
  },
  workers: {
    group: 'run',
    type: 'integer',
    default: null,
    min: 0,
    max: 256,
    auto: 'by the number of cores',
    text: 'Threads that decode and augment images. Any number gives the same batches.',
  },
  checkpoint_every: {
    group: 'run',
    type: 'number',
    default: 5,
    min: 0,
    text: 'Minutes between checkpoints inside an epoch; every epoch ends with one anyway. 0: only those.',
  },
};

/** Every field name, in the order of the table. */
export const FIELD_NAMES: readonly FieldName[] = Object.keys(FIELDS) as FieldName[];

/** The recipe with every field at its default. */
export const DEFAULT_RECIPE: Recipe = Object.freeze(
  Object.fromEntries(FIELD_NAMES.map((name) => [name, FIELDS[name].default])),
) as unknown as Recipe;

/**
 * Are the BN statistics of a model sound? The same images are judged with the statistics of their own batch (train mode),
 * with the running statistics that are stored (evaluation), and with statistics measured anew; where these part by more
 * than chance would, the way they part says what is wrong.
 */

/** Whether each image was judged rightly, one entry an image, in the same order for every mode. */
export interface Outcomes {
  /** Statistics of the batch at hand. */
  readonly train: ArrayLike<boolean>;
  /** Running statistics as they are stored. */
  readonly eval: ArrayLike<boolean>;
  /** Statistics measured anew, with the weights as they are. */
  readonly recalibrated: ArrayLike<boolean>;
  /** Statistics measured on the very images that are judged, where `recalibrated` used others. */
  readonly adapted?: ArrayLike<boolean> | undefined;
}

export type FindingName =
  | 'too-few-images'
  | 'not-learned'
  | 'stale-statistics'
  | 'stale-or-shifted'
  | 'data-shift'
  | 'batch-dependence'
  | 'unfit-recalibration'
  | 'noisy-batches'
  | 'sound';

export interface Finding {
  readonly name: FindingName;
  /** What was found, in words. */
  readonly text: string;
  /** What to do about it. */
  readonly advice: string;
}

export interface Setting {
  /** Share of the most frequent class: what always answering it would get, 0 to 1. */
  readonly guessing: number;
  /** Images of a batch in train mode. */
  readonly batch: number;
}

/** Differences count from here on, in standard errors: two-sided 1 %. */
const Z = 2.58;
/** Fewer images tell nothing. */
const MIN_IMAGES = 20;

/** Percentage points apart that matter, though they may be chance. */
const UNDECIDED = 5;

/** Percent right. */
export function accuracyOf(outcomes: ArrayLike<boolean>): number {
  return (100 * count(outcomes)) / Math.max(1, outcomes.length);
}

const count = (outcomes: ArrayLike<boolean>): number => Array.from(outcomes).filter(Boolean).length;

/**
 * Percentage points by which a is better than b, or 0 where that may be chance: images on which only one of them is
 * right are a fair coin if both are equally good (McNemar's test).
 */
export function gainOf(a: ArrayLike<boolean>, b: ArrayLike<boolean>): number {
  let [onlyA, onlyB] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (a[i] && !b[i]) onlyA++;
    if (b[i] && !a[i]) onlyB++;
  }
  const difference = onlyA - onlyB;
  return Math.abs(difference) > Z * Math.sqrt(onlyA + onlyB) ? (100 * difference) / a.length : 0;
}

/** 95 % interval of an accuracy, ± percentage points (normal approximation with one success and one failure more). */
export function marginOf(outcomes: ArrayLike<boolean>): number {
  const n = outcomes.length + 2;
  const p = (count(outcomes) + 1) / n;
  return 100 * 1.96 * Math.sqrt((p * (1 - p)) / n);
}

/** Whether an accuracy is above a share `p` by more than chance would give. */
function aboveGuessing(outcomes: ArrayLike<boolean>, p: number): boolean {
  return count(outcomes) / outcomes.length > p + Z * Math.sqrt((p * (1 - p)) / outcomes.length);
}

const points = (gain: number): string => `${Math.abs(gain).toFixed(1)} points`;
const percent = (outcomes: ArrayLike<boolean>): string => `${accuracyOf(outcomes).toFixed(1)} %`;

/** Says what is wrong with the statistics, if anything is. */
export function diagnose(outcomes: Outcomes, setting: Setting): Finding {
  const { train, eval: evaluated, recalibrated, adapted } = outcomes;
  const images = evaluated.length;
  if (images < MIN_IMAGES)
    return {
      name: 'too-few-images',
      text: `${images} images are too few to tell differences from chance.`,
      advice: `Give at least ${MIN_IMAGES}, better some hundreds.`,
    };
  const modes = [train, evaluated, recalibrated, ...(adapted ? [adapted] : [])];
  if (!modes.some((mode) => aboveGuessing(mode, setting.guessing)))
    return {
      name: 'not-learned',
      text: `With no statistics is it better than guessing (${(100 * setting.guessing).toFixed(1)} %): it has not learned these classes, and statistics are not why.`,
      advice:
        'Check that the classes are in the order it was trained with and that the labels are right; else train longer, or with another learning rate.',
    };
  const stale = gainOf(recalibrated, evaluated);
  if (stale > 0) return staleFinding(outcomes, stale);
  const dependence = Math.min(gainOf(train, evaluated), gainOf(train, recalibrated));
  const shift = adapted ? gainOf(adapted, evaluated) : 0;
  if (shift > 0)
    return {
      name: 'data-shift',
      text: `Statistics measured on these very images make it ${points(shift)} better, those of the training images do not: these images differ from them (light, color, sharpness, or how they were prepared).`,
      advice:
        'Train on images like these, or with stronger color augmentation; check that they are prepared as in training.',
    };
  if (dependence > 0)
    return {
      name: 'batch-dependence',
      text: `With the statistics of each batch it is ${points(dependence)} better than with any that hold for all images: it leans on the other images of its batch.`,
      advice: `Train with larger batches than ${setting.batch} if memory allows (or a smaller learning rate at the end), shuffle the training images, and check that these images are like them.`,
    };
  if (stale < 0)
    return {
      name: 'unfit-recalibration',
      text: `Statistics measured anew make it ${points(stale)} worse than the stored ones: the images they were measured on are too few, or unlike the (augmented) ones it was trained on.`,
      advice: 'Keep the stored statistics, or recalibrate on more training images.',
    };
  const noise = gainOf(evaluated, train);
  if (noise > 0)
    return {
      name: 'noisy-batches',
      text: `Stored and new statistics agree. With those of a batch of ${setting.batch} it is ${points(noise)} worse: so few images give unsteady statistics, but evaluation does not use them.`,
      advice: 'Nothing is wrong with the model. Larger batches would make training steadier.',
    };
  const accuracies = modes.map(accuracyOf);
  const apart = Math.max(...accuracies) - Math.min(...accuracies);
  if (apart >= UNDECIDED)
    return {
      name: 'too-few-images',
      text: `The statistics give accuracies up to ${points(apart)} apart, but on ${images} images that may be chance.`,
      advice: 'Give more images.',
    };
  return {
    name: 'sound',
    text: `All statistics give the same accuracy within sampling error (${percent(evaluated)} ± ${marginOf(evaluated).toFixed(1)}): they are sound.`,
    advice:
      'If accuracy is lower than you hoped, the reason lies elsewhere: data, augmentation, or length of training.',
  };
}

function staleFinding({ train, eval: evaluated, recalibrated, adapted }: Outcomes, gain: number): Finding {
  const supported = gainOf(train, evaluated) > 0;
  const known = adapted !== undefined;
  const text = `The stored statistics do not belong to these weights: with new ones it is right on ${percent(recalibrated)} instead of ${percent(evaluated)} (${points(gain)} better${supported ? '; train mode agrees' : ''}).`;
  if (known)
    return {
      name: 'stale-statistics',
      text,
      advice:
        'Recalibrate: mobileone train does so at every evaluation (recalibrate_images above 0), and its model.safetensors has the new statistics.',
    };
  return {
    name: 'stale-or-shifted',
    text: `${text} They were measured on the images judged here, so it may also be that these differ from the training images.`,
    advice:
      'Recalibrate on training images (mobileone train does so where recalibrate_images is above 0), or diagnose the run folder, whose training images are known.',
  };
}

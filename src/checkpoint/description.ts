/** A model's description as JSON in the metadata of its file, and the check of every field that later code relies on. */
import { UserError } from '../core/errors.ts';
import type { ModelFile } from './model-file.ts';

/** The metadata key of a model's description, and the version of its layout. */
export const MODEL_KEY = 'mobileone';
const LAYOUT = 1;

export type Description = Omit<ModelFile, 'graph' | 'state'>;

/** The text of a description. */
export function writeDescription(description: Description): string {
  return JSON.stringify({ layout: LAYOUT, ...description });
}

/** Reads a description. Throws a UserError for one that is damaged or of a newer version. */
export function readDescription(text: string): Description {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badDescription('it is not JSON');
  }
  const { layout, ...description } = (value ?? {}) as Description & { layout: number };
  if (typeof layout !== 'number') throw badDescription('its layout has no number');
  if (layout > LAYOUT) {
    throw new UserError(
      `The file was written by a newer version (${description.info?.created_with ?? `layout ${layout}`}).`,
      'Update mobileone and try again.',
    );
  }
  checkDescription(description);
  return description;
}

function badDescription(why: string): UserError {
  return new UserError(
    `The description inside the model file can't be read: ${why}.`,
    'The file may have been changed by another program. Export or copy it again.',
  );
}

const isNumbers = (value: unknown, length?: number): value is number[] =>
  Array.isArray(value) && value.every(Number.isFinite) && (length === undefined || value.length === length);

/** Checks every field of a description that later code relies on. */
export function checkDescription(
  description: Pick<Description, 'config' | 'form' | 'classes' | 'multiLabel' | 'preprocessing'>,
): void {
  const { config, form, classes, multiLabel, preprocessing } = description;
  if (form !== 'train' && form !== 'fused') throw badDescription('form must be train or fused');
  const fours = [config?.depths, config?.widths, config?.se_blocks];
  if (!fours.every((four) => isNumbers(four, 4))) throw badDescription('config needs depths, widths and se_blocks');
  const { num_conv_branches, rd_divisor, num_classes, in_chans } = config;
  const isCount = (count: number, least: number): boolean => Number.isInteger(count) && count >= least;
  if (![num_conv_branches, rd_divisor, in_chans].every((count) => isCount(count, 1)) || !isCount(num_classes, 0)) {
    throw badDescription('config needs num_conv_branches, rd_divisor, num_classes and in_chans');
  }
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) {
    throw badDescription('classes must be a list of names');
  }
  if (multiLabel !== undefined && multiLabel !== true) throw badDescription('multiLabel must be true or left out');
  if (classes.length !== num_classes) throw badDescription(`it names ${classes.length} of ${num_classes} classes`);
  if (
    !(preprocessing?.size > 0 && preprocessing.cropPct > 0) ||
    !isNumbers(preprocessing.mean, in_chans) ||
    !isNumbers(preprocessing.std, in_chans)
  ) {
    throw badDescription('preprocessing needs size, cropPct, and mean and std for every channel');
  }
}

/**
 * The phases of a run, in which images grow and augmentation grows stronger (progressive learning, arXiv 2104.00298;
 * MobileOne §4.1): pure functions of the epoch, so that a resumed run is in the phase in which it stopped.
 */
import { UserError } from '../core/errors.ts';
import type { Recipe } from './recipe.ts';

/** What changes from phase to phase. */
export interface Phase {
  /** Side of the training images, in pixels; in the last phase the recipe's `size`. */
  readonly size: number;
  /** Factor of the magnitudes of automatic augmentation. */
  readonly strength: number;
}

/** Where the paper's second and third phase begin: epochs 38 and 113 of 300. */
const PAPER_STARTS = [1 / 8, 3 / 8];
/** The paper's sizes, as shares of the last one. */
const PAPER_SIZES = [160 / 224, 192 / 224, 1];

const MIN_SIZE = 32;

/** Sizes of the training images by phase; auto: the paper's 160, 192 and 224 px in proportion, in steps of 16 px. */
export function phaseSizes({ progressive, size }: Recipe): readonly number[] {
  if (progressive === null)
    return PAPER_SIZES.map((share) =>
      Math.min(size, Math.max(MIN_SIZE, share < 1 ? 16 * Math.round((share * size) / 16) : size)),
    );
  return progressive.length === 0 ? [size] : progressive;
}

function phaseCount(recipe: Recipe): number {
  return Math.max(phaseSizes(recipe).length, recipe.auto_augment_strength.length);
}

/** Where phases begin, as shares of the run, the first (0) left out: the recipe's, the paper's, or equal parts. */
export function phaseStarts(recipe: Recipe): readonly number[] {
  const count = phaseCount(recipe);
  if (recipe.phase_starts !== null) return recipe.phase_starts;
  if (count === 3) return PAPER_STARTS;
  return Array.from({ length: count - 1 }, (_, i) => (i + 1) / count);
}

/** The phase of an epoch. A short run may leave out early phases, but never the last one. */
export function phaseAt(recipe: Recipe, epoch: number): Phase {
  const { epochs, auto_augment_strength: strengths } = recipe;
  const last = epochs - 1;
  const begun = (start: number): boolean => Math.min(epoch, last) >= Math.min(Math.round(start * epochs), last);
  const phase = phaseStarts(recipe).filter(begun).length;
  const of = (values: readonly number[]): number => values[Math.min(phase, values.length - 1)]!;
  return { size: of(phaseSizes(recipe)), strength: of(strengths) };
}

/** Work of the epochs from one on, as epochs of images of the recipe's size: it grows with the pixels. */
export function workFrom(recipe: Recipe, epoch: number): number {
  let work = 0;
  for (let e = epoch; e < recipe.epochs; e++) work += pixelShare(recipe, e);
  return work;
}

/** Pixels of an epoch's images as a share of those of the recipe's size. */
export function pixelShare(recipe: Recipe, epoch: number): number {
  return (phaseAt(recipe, epoch).size / recipe.size) ** 2;
}

/** Throws a UserError when the lists of phases do not agree with one another or with the size. */
export function checkPhases(recipe: Recipe): void {
  const { phase_starts: starts, auto_augment_strength: strengths, size } = recipe;
  const sizes = phaseSizes(recipe);
  const list = (values: readonly number[]): string => values.join(',');
  if (sizes.at(-1) !== size || sizes.some((one) => one > size))
    throw new UserError(
      `progressive (${list(sizes)}) must end with size (${size}) and never exceed it.`,
      `Give --size ${Math.max(...sizes)}, or --progressive auto for the paper's sizes in proportion.`,
    );
  if (sizes.length > 1 && strengths.length > 1 && sizes.length !== strengths.length)
    throw new UserError(
      `progressive has ${sizes.length} phases (${list(sizes)}), auto_augment_strength ${strengths.length} (${list(strengths)}).`,
      'Give both as many numbers, or one strength for all phases.',
    );
  if (starts === null) return;
  const count = phaseCount(recipe);
  if (starts.length + 1 !== count)
    throw new UserError(
      `phase_starts (${list(starts)}) begins ${starts.length + 1} phases, but the recipe has ${count}.`,
      'The numbers of progressive and auto_augment_strength are the phases; all but the first begin at a share of the run.',
    );
  if (starts.some((start, i) => i > 0 && start <= starts[i - 1]!))
    throw new UserError(`phase_starts (${list(starts)}) must rise.`, 'For example --phase-starts 0.125,0.375.');
}

/**
 * The phases of a run, in which augmentation grows stronger (progressive learning, arXiv 2104.00298; MobileOne §4.1):
 * pure functions of the epoch, so that a resumed run is in the phase in which it stopped.
 */
import { UserError } from '../core/errors.ts';
import type { Recipe } from './recipe.ts';

/** What changes from phase to phase. */
export interface Phase {
  /** Factor of the magnitudes of automatic augmentation. */
  readonly strength: number;
}

/** Where the paper's second and third phase begin: epochs 38 and 113 of 300. */
const PAPER_STARTS = [1 / 8, 3 / 8];

function phaseCount({ auto_augment_strength }: Recipe): number {
  return auto_augment_strength.length;
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
  const { epochs, auto_augment_strength } = recipe;
  const phase = phaseStarts(recipe).filter((start) => Math.min(epoch, epochs - 1) >= firstEpoch(start, epochs)).length;
  return { strength: auto_augment_strength.at(Math.min(phase, auto_augment_strength.length - 1))! };
}

const firstEpoch = (start: number, epochs: number): number => Math.min(Math.round(start * epochs), epochs - 1);

/** Throws a UserError when the lists of phases do not agree. */
export function checkPhases(recipe: Recipe): void {
  const { phase_starts: starts } = recipe;
  if (starts === null) return;
  const count = phaseCount(recipe);
  if (starts.length + 1 !== count)
    throw new UserError(
      `phase_starts (${starts.join(', ')}) begins ${starts.length + 1} phases, but the recipe has ${count}.`,
      'Phases are the numbers of auto_augment_strength; all but the first begin at a share of the run.',
    );
  if (starts.some((start, i) => i > 0 && start <= starts[i - 1]!))
    throw new UserError(`phase_starts (${starts.join(', ')}) must rise.`, 'For example --phase-starts 0.125,0.375.');
}

import { UserError } from '../core/errors.ts';
import { type Engine, TooLargeError } from '../engine/engine.ts';
import { mobileOne } from '../models/mobileone.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { planStep } from '../train/programs.ts';
import type { RunPlan } from './plan-run.ts';

/**
 * Bytes that the step of a run needs, where the engine can tell. Throws a UserError with the largest batch that fits when they
 * are more than there can be.
 */
export function checkMemory(
  engine: Engine,
  { recipe, config, preprocessing, data, resume }: RunPlan,
): number | undefined {
  const model = withPreprocess(mobileOne(config), preprocessing);
  try {
    const plan = planStep(engine, model, recipe, data.train.classes.length);
    return plan && plan.state + plan.activations;
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    const { largestBatch = 0 } = error;
    const batch = largestBatch < 2 ? '' : `with --batch-size ${largestBatch}, or `;
    const hint = resume
      ? 'A run keeps its batch; resume it with fewer --threads, each of which takes some memory.'
      : `Train ${batch}on images smaller than --size ${recipe.size}.`;
    throw new UserError(
      `A batch of ${recipe.batch_size} images of ${recipe.size} px is too large. ${error.message}`,
      hint,
    );
  }
}

/** What is said when training has diverged: where the first values were that are no numbers, and what to try. */
import { UserError } from '../core/errors.ts';
import type { StateDict } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { baseLearningRate, type Recipe } from '../recipe/recipe.ts';

/** Training has diverged: resuming would end the same way. */
export class Diverged extends UserError {}

/** Where in a run it happened. */
interface Place {
  readonly epoch: number;
  readonly step: number;
}

/**
 * The first node whose running statistics or parameters are no numbers: statistics are taken in the forward pass, so the first
 * of them is where it began.
 */
export function firstNotFinite({ nodes, params }: Graph, state: StateDict): string | undefined {
  const isBad = (name: string): boolean => !(state.get(name)?.data.every(Number.isFinite) ?? true);
  const statistics = (name: string): boolean => params[name]!.role.startsWith('running_');
  const byStatistics = nodes.find((node) => Object.values(node.params).some((name) => statistics(name) && isBad(name)));
  return (byStatistics ?? nodes.find((node) => Object.values(node.params).some(isBad)))?.name;
}

/** Throws `Diverged` when the state of a model in training has values that are no numbers, after `position.step` steps. */
export function checkFinite(trained: Graph, state: StateDict, position: Place, recipe: Recipe): void {
  for (const [name, { data }] of state) {
    if (data.every(Number.isFinite)) continue;
    const what = `The weights are no longer finite, beginning in "${firstNotFinite(trained, state) ?? name}",`;
    throw diverged(what, { ...position, step: Math.max(0, position.step - 1) }, recipe, baseLearningRate(recipe));
  }
}

/** The error that ends a run which has diverged. */
export function diverged(what: string, { epoch, step }: Place, recipe: Recipe, lr: number): Diverged {
  const lower = Number((baseLearningRate(recipe) / 10).toPrecision(2));
  return new Diverged(
    `${what} in epoch ${epoch + 1}, step ${step + 1}, at a learning rate of ${Number(lr.toPrecision(4))}: training has diverged.`,
    `Train again with a lower rate (--lr ${lower}) or a longer warm-up (--warmup-epochs ${Math.max(1, Math.ceil(recipe.warmup_epochs * 2))}). The last good checkpoint is kept.`,
  );
}

/** Optimizers as nodes of the training step: one table. */
import type { Node, ValueSpec } from '../graph/graph.ts';
import type { ParamUpdate } from '../graph/kinds.ts';

export interface SgdOptions {
  readonly optimizer?: 'sgd';
  readonly momentum: number;
  readonly nesterov: boolean;
}

export interface AdamWOptions {
  readonly optimizer: 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  /** Added to the root of the second moment; above 0. */
  readonly epsilon: number;
}

export type OptimizerOptions = SgdOptions | AdamWOptions;

export interface OptimizerPart {
  readonly node: Node;
  /** Scalar inputs of the step beyond `lr` and `weight_decay`. */
  readonly inputs: readonly ValueSpec[];
}

/**
 * The node that updates the parameters from `lr`, `weight_decay` and their gradients. AdamW also takes the scalar
 * `step`, the number of this update from 1: a run's position gives it, so no counter has to be kept beside the state,
 * and a resumed run goes on with the same bits. `gradScale` names the value that scales every gradient, if there is one.
 */
export function optimizerPart(
  options: OptimizerOptions,
  updates: readonly ParamUpdate[],
  gradScale: string | undefined,
): OptimizerPart {
  const params = Object.fromEntries(updates.map(({ param }) => [param, param]));
  const scaled = gradScale !== undefined;
  const grads = [...updates.map(({ grad }) => grad), ...(scaled ? [gradScale] : [])];
  const common = { outputs: [], params } as const;
  const rates = ['lr', 'weight_decay'] as const;
  if (options.optimizer === 'adamw') {
    const { beta1, beta2, epsilon } = options;
    const attrs = { beta1, beta2, epsilon, updates, scaled };
    const node: Node = { kind: 'AdamW', name: 'adamw', inputs: [...rates, 'step', ...grads], ...common, attrs };
    return { node, inputs: [{ name: 'step', shape: [], dtype: 'float32' }] };
  }
  const { momentum, nesterov } = options;
  const attrs = { momentum, nesterov, updates, scaled };
  return { node: { kind: 'Sgd', name: 'sgd', inputs: [...rates, ...grads], ...common, attrs }, inputs: [] };
}

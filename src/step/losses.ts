/** Losses as nodes of the training step: one table. */
import type { Node, ValueSpec } from '../graph/graph.ts';
import type { DistillAttrs } from '../graph/kinds.ts';

export type LossOptions =
  | { readonly kind: 'SoftmaxCrossEntropyLoss' | 'BinaryCrossEntropyLoss' }
  | { readonly kind: 'DistillationLoss'; readonly attrs: DistillAttrs };

export const CROSS_ENTROPY: LossOptions = { kind: 'SoftmaxCrossEntropyLoss' };

export interface LossPart {
  readonly node: Node;
  /** Inputs of the step that the loss reads beside the logits. */
  readonly inputs: readonly ValueSpec[];
}

/** The node that makes `loss` from logits `[N, classes]`, `target` and, from a teacher, its logits `teacher`, all of that shape. */
export function lossPart(options: LossOptions, logits: string, classes: number): LossPart {
  const matrix = (name: string): ValueSpec => ({ name, shape: ['N', classes], dtype: 'float32' });
  const common = { name: 'loss', outputs: ['loss'], params: {} } as const;
  if (options.kind !== 'DistillationLoss') {
    const node: Node = { kind: options.kind, ...common, inputs: [logits, 'target'], attrs: {} };
    return { node, inputs: [matrix('target')] };
  }
  const node: Node = { kind: options.kind, ...common, inputs: [logits, 'target', 'teacher'], attrs: options.attrs };
  return { node, inputs: [matrix('target'), matrix('teacher')] };
}

/**
 * The IR: frozen nodes in topological order over named values and named parameters.
 * Logical layout is NCHW, weights OIHW, as in ONNX; an engine chooses its own physical layout.
 */
import type { DType } from '../core/tensor.ts';
import type { OpAttrs, OpKind } from './kinds.ts';

/** A dimension: fixed, or a name (`'N'`, `'H'`, `'W'`) bound when a program is compiled. */
export type Dim = number | string;

export interface ValueSpec {
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly dtype: DType;
}

/** What a parameter is: decides initialisation, weight decay and whether it is learned. */
export type ParamRole = 'weight' | 'bias' | 'norm_weight' | 'norm_bias' | 'running_mean' | 'running_var';

export interface ParamSpec {
  readonly shape: readonly number[];
  readonly role: ParamRole;
  /** Training leaves it as it is. */
  readonly frozen?: true;
  /** Standard deviation of its initial values, for a weight whose layer wants another than He's. */
  readonly std?: number;
}

/**
 * One operation. `params` maps the op's roles to parameter names. `inputs` and `outputs` are value names.
 */
export interface NodeOf<K extends OpKind> {
  readonly kind: K;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly params: Readonly<Record<string, string>>;
  readonly attrs: OpAttrs[K];
}

export type Node = { [K in OpKind]: NodeOf<K> }[OpKind];

export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueSpec[];
  readonly nodes: readonly Node[];
  readonly params: Readonly<Record<string, ParamSpec>>;
  /** Output name → value name. Features at strides 2 … 32 are tapped by adding outputs. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** True for parameters the optimizer updates; running statistics and frozen parameters are not. */
export function isLearnable(spec: ParamSpec): boolean {
  return !spec.frozen && spec.role !== 'running_mean' && spec.role !== 'running_var';
}

/** True for parameters that weight decay applies to: tensors of more than one dimension (norms and biases are not). */
export function isDecayed(spec: ParamSpec): boolean {
  return isLearnable(spec) && spec.shape.length > 1;
}

/** Names of a node's learnable parameters, in the order in which its gradient node outputs their gradients. */
export function learnableParams(graph: Graph, node: Pick<Node, 'params'>): string[] {
  return Object.values(node.params).filter((name) => isLearnable(graph.params[name]!));
}

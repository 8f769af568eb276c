/**
 * Fusing (paper §3.2.2): the branches of a RepConv, each a convolution and a BatchNorm with fixed statistics, are
 * linear, so their sum is one convolution: W = Σ γ/√(σ²+ε) · W_i and b = Σ β − γ/√(σ²+ε) · μ, with 1×1 kernels and
 * the skip's identity placed at the centre tap.
 */
import { UserError } from '../core/errors.ts';
import { type StateDict, sizeOf, type Tensor } from '../core/tensor.ts';
import type { Graph, Node, NodeOf } from '../graph/graph.ts';
import { fusedParams, fuseGraph } from '../graph/passes/fuse.ts';
import { type Branch, branchesOf, kernelShape } from '../graph/rep-conv.ts';

export interface Model {
  readonly graph: Graph;
  readonly state: StateDict;
}

/**
 * Fuses a model of train form into one of plain convolutions. Pure; sums are float64 and the new weights float32;
 * other nodes and parameters are passed on untouched, as are RepConvs that are not `chosen`; a model without any is returned
 * as it is.
 * Throws a UserError for weights that are not finite, and a TypeError for a parameter that the state lacks.
 */
export function fuse(graph: Graph, state: StateDict, chosen: (node: Node) => boolean = () => true): Model {
  const fused = fuseGraph(graph, chosen);
  if (fused === graph) return { graph, state };
  const made = new Map<string, Tensor>();
  for (const node of graph.nodes) {
    if (node.kind !== 'RepConv' || !chosen(node)) continue;
    const names = fusedParams(node);
    const { weight, bias } = fuseRepConv(node, state);
    made.set(names.weight, { shape: kernelShape(node.attrs), data: Float32Array.from(weight) });
    made.set(names.bias, { shape: [node.attrs.out_chs], data: Float32Array.from(bias) });
  }
  const params = Object.keys(fused.params).map((name) => [name, made.get(name) ?? need(state, name)] as const);
  return { graph: fused, state: new Map(params) };
}

function need(state: StateDict, name: string): Tensor {
  const value = state.get(name);
  if (!value) throw new TypeError(`the state lacks the parameter "${name}"`);
  return value;
}

/** The one kernel `[O, I/groups, K, K]` and bias `[O]` that a RepConv's branches add up to, in float64. */
export function fuseRepConv(node: NodeOf<'RepConv'>, state: StateDict): { weight: Float64Array; bias: Float64Array } {
  const [outputs, inputs, kernel] = kernelShape(node.attrs);
  const weight = new Float64Array(sizeOf(kernelShape(node.attrs)));
  const bias = new Float64Array(outputs);
  const taps = kernel * kernel;
  const center = (taps - 1) / 2;

  for (const branch of branchesOf(node)) {
    const { scale, shift } = normAsAffine(branch, node.attrs.epsilon, state);
    const source = branch.type === 'skip' ? undefined : need(state, branch.weight).data;
    for (let o = 0; o < outputs; o++) {
      bias[o]! += shift[o]!;
      const row = o * inputs * taps;
      if (branch.type === 'conv') {
        for (let i = row; i < row + inputs * taps; i++) weight[i]! += scale[o]! * source![i]!;
      } else if (branch.type === 'scale') {
        for (let c = 0; c < inputs; c++) weight[row + c * taps + center]! += scale[o]! * source![o * inputs + c]!;
      } else {
        // Inside its group, output channel o reads its own input channel.
        weight[row + (o % inputs) * taps + center]! += scale[o]!;
      }
    }
  }
  if (!weight.every(Number.isFinite) || !bias.every(Number.isFinite)) {
    throw new UserError(
      `The weights of "${node.name}" are not finite, so the model can't be fused.`,
      'The training has diverged. Take an earlier checkpoint, or train again with a lower learning rate.',
    );
  }
  return { weight, bias };
}

/** A BatchNorm with fixed statistics as y = scale · x + shift, per channel, in float64. */
function normAsAffine(
  { norm }: Branch,
  epsilon: number,
  state: StateDict,
): { scale: Float64Array; shift: Float64Array } {
  const [gamma, beta, mean, variance] = [norm.weight, norm.bias, norm.running_mean, norm.running_var].map(
    (name) => need(state, name).data,
  ) as [Tensor['data'], Tensor['data'], Tensor['data'], Tensor['data']];
  const scale = Float64Array.from(gamma, (g, o) => g / Math.sqrt(variance[o]! + epsilon));
  const shift = Float64Array.from(beta, (b, o) => b - scale[o]! * mean[o]!);
  return { scale, shift };
}

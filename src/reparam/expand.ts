/**
 * Expanding, the inverse of fusing: a plain convolution becomes k branches with BatchNorm whose sum equals it exactly, so that
 * published fused weights can be fine-tuned with over-parameterization. Branch kernels add up to the fused one; what BatchNorm
 * divides by is measured on images and put back into γ, what it subtracts into β.
 */
import { random } from '../core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../core/tensor.ts';
import { freezeGraph } from '../graph/build.ts';
import type { Graph, Node, NodeOf } from '../graph/graph.ts';
import { fusedParams, fuseGraph } from '../graph/passes/fuse.ts';
import { type Branch, branchesOf, kernelShape } from '../graph/rep-conv.ts';

export interface ExpandOptions {
  /** Seed of what distinguishes the branches. */
  readonly seed?: number;
  /** Size of that difference, relative to the root mean square of a kernel; the branches' differences add up to zero. Default 0.1. */
  readonly spread?: number;
}

/** Branch kernels, and for every branch the factor with which its normalized input enters the sum. */
export interface Split {
  readonly kernels: StateDict;
  /** By the name of the branch's BatchNorm weight: `[O]`. */
  readonly factors: ReadonlyMap<string, Float64Array>;
}

function need(state: StateDict, name: string): Tensor {
  const value = state.get(name);
  if (!value) throw new TypeError(`the state lacks the parameter "${name}"`);
  return value;
}

const repConvs = (graph: Graph): NodeOf<'RepConv'>[] =>
  graph.nodes.filter((node): node is NodeOf<'RepConv'> => node.kind === 'RepConv');

/**
 * Splits every fused kernel among the branches of a train-form graph: entries that only conv branches have are shared by these, those
 * at the center also by the scale branch, and the diagonal at the center also by the skip branch.
 */
export function splitKernels(graph: Graph, fused: StateDict, { seed = 0, spread = 0.1 }: ExpandOptions = {}): Split {
  const kernels = new Map<string, Tensor>();
  const factors = new Map<string, Float64Array>();
  repConvs(graph).forEach((node, index) => {
    const branches = branchesOf(node);
    const [outputs, inputs, kernel] = kernelShape(node.attrs);
    const whole = need(fused, fusedParams(node).weight).data;
    const taps = kernel * kernel;
    const center = (taps - 1) / 2;
    const convs = branches.filter(({ type }) => type === 'conv');
    const [scale, skip] = (['scale', 'skip'] as const).map((type) => branches.find((branch) => branch.type === type));
    const parts = convs.map(() => new Float32Array(whole.length));
    const scaleKernel = new Float32Array(outputs * inputs);
    const skipFactor = new Float64Array(outputs);
    const rms = Math.sqrt(Array.from(whole).reduce((sum, value) => sum + value * value, 0) / whole.length);
    const rng = random(seed, index);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let t = 0; t < taps; t++) {
          const at = (o * inputs + i) * taps + t;
          const onScale = scale !== undefined && t === center;
          // Inside its group, output channel o reads its own input channel.
          const onSkip = skip !== undefined && t === center && i === o % inputs;
          const share = whole[at]! / (convs.length + Number(onScale) + Number(onSkip));
          if (onScale) scaleKernel[o * inputs + i] = share;
          if (onSkip) skipFactor[o] = share;
          const noise = convs.map(() => rng.normal() * spread * rms);
          const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
          parts.forEach((part, branch) => {
            part[at] = share + (convs.length > 1 ? noise[branch]! - mean : 0);
          });
        }
      }
    }
    const ones = new Float64Array(outputs).fill(1);
    convs.forEach((branch, i) => {
      kernels.set((branch as Branch & { weight: string }).weight, { shape: kernelShape(node.attrs), data: parts[i]! });
      factors.set(branch.norm.weight, ones);
    });
    if (scale && scale.type !== 'skip') {
      kernels.set(scale.weight, { shape: [outputs, inputs, 1, 1], data: scaleKernel });
      factors.set(scale.norm.weight, ones);
    }
    if (skip) factors.set(skip.norm.weight, skipFactor);
  });
  return { kernels, factors };
}

/**
 * The fused network with, beside every convolution, its branches in train mode on the same input: running it records the statistics
 * of every branch (input `bn_momentum`), while the images flow through the fused weights.
 */
export function probeGraph(graph: Graph): Graph {
  const fused = fuseGraph(graph);
  const byName = new Map(repConvs(graph).map((node) => [node.name, node]));
  const nodes = fused.nodes.flatMap((node): Node[] => {
    const branches = byName.get(node.name);
    if (!branches) return [node];
    const probe: Node = {
      ...branches,
      name: `${node.name}.probe`,
      inputs: [branches.inputs[0]!, 'bn_momentum'],
      outputs: [`${node.name}.probe`],
      attrs: { ...branches.attrs, training: true },
    };
    return [probe, node];
  });
  return freezeGraph({
    ...fused,
    name: `${graph.name}.probe`,
    inputs: [...fused.inputs, { name: 'bn_momentum', shape: [], dtype: 'float32' }],
    nodes,
    params: { ...fused.params, ...graph.params },
  });
}

/** A state for the probe: fused weights, branch kernels, and BatchNorms at their neutral values. */
export function probeState(graph: Graph, fused: StateDict, { kernels }: Split): StateDict {
  const neutral = Object.entries(graph.params).map(([name, { shape, role }]): [string, Tensor] => {
    const one = role === 'norm_weight' || role === 'running_var';
    return [name, { shape, data: new Float32Array(sizeOf(shape)).fill(one ? 1 : 0) }];
  });
  return new Map([...neutral, ...fused, ...kernels]);
}

/**
 * The train-form state that equals the fused one, given the measured statistics of every branch (running means and variances, by
 * name). Parameters outside RepConvs are passed on where the fused state has them (a new classifier is not there). Pure; computed in float64.
 */
export function expandedState(graph: Graph, fused: StateDict, split: Split, statistics: StateDict): StateDict {
  const state = new Map<string, Tensor>();
  for (const node of repConvs(graph)) {
    const branches = branchesOf(node);
    const bias = need(fused, fusedParams(node).bias).data;
    for (const { norm } of branches) {
      const factor = split.factors.get(norm.weight)!;
      const [mean, variance] = [need(statistics, norm.running_mean), need(statistics, norm.running_var)];
      const shape = mean.shape;
      const gamma = Float32Array.from(factor, (f, o) => f * Math.sqrt(variance.data[o]! + node.attrs.epsilon));
      // γ as stored, so that β makes up for its rounding too.
      const applied = Float64Array.from(gamma, (g, o) => g / Math.sqrt(variance.data[o]! + node.attrs.epsilon));
      const beta = Float32Array.from(applied, (s, o) => bias[o]! / branches.length + s * mean.data[o]!);
      state.set(norm.weight, { shape, data: gamma });
      state.set(norm.bias, { shape, data: beta });
      state.set(norm.running_mean, mean);
      state.set(norm.running_var, variance);
    }
  }
  for (const [name, value] of split.kernels) state.set(name, value);
  for (const name of Object.keys(graph.params)) {
    const value = fused.get(name);
    if (value) state.set(name, value);
  }
  return state;
}

/** How each inference op is written in ONNX. The table is checked for completeness by the compiler. */
import type { Tensor } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { DATA_TYPES, type OnnxAttribute, type OnnxNode } from './model.ts';

/** The op kinds of inference graphs that ONNX has; eval-mode `RepConv` is spelled out by `expandBranches` before. */
export type OnnxKind = Extract<
  OpKind,
  | 'Preprocess'
  | 'Conv'
  | 'BatchNormalization'
  | 'Relu'
  | 'Sigmoid'
  | 'Add'
  | 'Mul'
  | 'GlobalAveragePool'
  | 'Flatten'
  | 'Gemm'
  | 'Softmax'
>;

/** Layout of the image input: `nhwc` is `[N, H, W, C]`, as decoders give it; `nchw` is `[N, C, H, W]`. */
export type ImageLayout = 'nhwc' | 'nchw';

export interface NodeContext {
  readonly layout: ImageLayout;
  /** Values between nodes are float16. What that could spoil is computed in float32: preprocessing, and sums over positions. */
  readonly half: boolean;
  /** Adds a constant and returns its name. */
  constant(name: string, value: Tensor): string;
}

type NodeWriter<K extends OnnxKind> = (node: NodeOf<K>, context: NodeContext) => OnnxNode[];

const write = (
  type: string,
  node: NodeOf<OpKind>,
  params: readonly string[] = [],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): OnnxNode[] => [
  { type, name: node.name, inputs: [...node.inputs, ...params], outputs: [...node.outputs], attributes },
];

/** Names of a node's parameters by role; roles that the node lacks are left out. */
const named = (node: NodeOf<OpKind>, ...roles: readonly string[]): string[] =>
  roles.flatMap((role) => node.params[role] ?? []);

/** A per-channel constant `[1, C, 1, 1]`. */
const perChannel = (values: readonly number[]): Tensor => ({
  shape: [1, values.length, 1, 1],
  data: Float32Array.from(values),
});

/** A node that turns a value into float32 or float16. */
export function castNode(name: string, input: string, output: string, to: 'float32' | 'float16'): OnnxNode {
  return { type: 'Cast', name, inputs: [input], outputs: [output], attributes: { to: DATA_TYPES[to] } };
}

export const NODE_WRITERS: { readonly [K in OnnxKind]: NodeWriter<K> } = {
  // (image / 255 − mean) / std = image · scale + shift. Bytes are transposed before they become floats.
  Preprocess: (node, { layout, half, constant }) => {
    const { name, inputs, outputs, attrs } = node;
    const scale = constant(`${name}.scale`, perChannel(attrs.std.map((std) => 1 / (255 * std))));
    const shift = constant(`${name}.shift`, perChannel(attrs.mean.map((mean, c) => -mean / attrs.std[c]!)));
    const step = (type: string, from: readonly string[], to: string, attributes = {}): OnnxNode => ({
      type,
      name: `${name}.${type.toLowerCase()}`,
      inputs: from,
      outputs: [to],
      attributes,
    });
    const channelsFirst = layout === 'nchw' ? inputs[0]! : `${name}.transpose`;
    const sum = half ? `${name}.add` : outputs[0]!;
    return [
      ...(layout === 'nchw' ? [] : [step('Transpose', inputs, channelsFirst, { perm: [0, 3, 1, 2] })]),
      castNode(`${name}.cast`, channelsFirst, `${name}.cast`, 'float32'),
      step('Mul', [`${name}.cast`, scale], `${name}.mul`),
      step('Add', [`${name}.mul`, shift], sum),
      ...(half ? [castNode(`${name}.half`, sum, outputs[0]!, 'float16')] : []),
    ];
  },
  Conv: (node) => {
    const { kernel_shape, strides, pads, dilations, group } = node.attrs;
    return write('Conv', node, named(node, 'weight', 'bias'), { kernel_shape, strides, pads, dilations, group });
  },
  BatchNormalization: (node) =>
    write('BatchNormalization', node, named(node, 'weight', 'bias', 'running_mean', 'running_var'), {
      epsilon: { float: node.attrs.epsilon },
    }),
  Relu: (node) => write('Relu', node),
  Sigmoid: (node) => write('Sigmoid', node),
  Add: (node) => write('Add', node),
  Mul: (node) => write('Mul', node),
  // The sum over all positions may be far beyond the largest float16.
  GlobalAveragePool: (node, { half }) => {
    if (!half) return write('GlobalAveragePool', node);
    const { name, inputs, outputs } = node;
    const [wide, mean] = [`${name}.float`, `${name}.mean`];
    return [
      castNode(wide, inputs[0]!, wide, 'float32'),
      { type: 'GlobalAveragePool', name, inputs: [wide], outputs: [mean], attributes: {} },
      castNode(`${name}.half`, mean, outputs[0]!, 'float16'),
    ];
  },
  Flatten: (node) => write('Flatten', node, [], { axis: 1 }),
  Gemm: (node) => write('Gemm', node, named(node, 'weight', 'bias'), { transB: 1 }),
  Softmax: (node) => write('Softmax', node, [], { axis: -1 }),
};

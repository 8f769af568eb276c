/** How each inference op is written in ONNX. The table is checked for completeness by the compiler. */
import { toFloat16 } from '../../core/float16.ts';
import type { Shape, Tensor } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import type { FileKind } from '../file-kinds.ts';
import { DATA_TYPES, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './model.ts';

/** Layout of the image input: `nhwc` is `[N, H, W, C]`, as decoders give it; `nchw` is `[N, C, H, W]`. */
export type ImageLayout = 'nhwc' | 'nchw';

export interface NodeContext {
  readonly layout: ImageLayout;
  /** Values between nodes are float16. What that could spoil is computed in float32: preprocessing, and sums over positions. */
  readonly half: boolean;
  /** Shape of a value; what stays open is a name, or `''`. */
  dimsOf(value: string): readonly (number | string)[];
  /** Adds a constant and returns its name. */
  constant(name: string, value: OnnxTensor): string;
}

type NodeWriter<K extends FileKind> = (node: NodeOf<K>, context: NodeContext) => OnnxNode[];

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

/** Numbers in the type of the values beside them. */
const tensorOf = (shape: Shape, values: readonly number[], half: boolean): OnnxTensor =>
  half ? { shape, data: toFloat16(values) } : { shape, data: Float32Array.from(values) };

const scalarOf = (value: number, half: boolean): OnnxTensor => tensorOf([], [value], half);

/** A constant of 64-bit integers, which ONNX wants for shapes and places. */
const integers = (name: string, values: readonly number[]): OnnxNode => ({
  type: 'Constant',
  name,
  inputs: [],
  outputs: [name],
  attributes: { value_ints: values },
});

/** A node inside the one that is written: named after what it does, its value too. */
const inner = (
  node: NodeOf<OpKind>,
  what: string,
  type: string,
  inputs: readonly string[],
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ type, name: `${node.name}.${what}`, inputs, outputs: [`${node.name}.${what}`], attributes });

/** The last of the nodes that write one: it makes the node's value. */
const last = (node: NodeOf<OpKind>, type: string, inputs: readonly string[]): OnnxNode => ({
  type,
  name: node.name,
  inputs,
  outputs: [...node.outputs],
  attributes: {},
});

/** The name of a shape, and the nodes that make it: lengths that are not numbers are those of `like`, as the file runs. */
function shapeNodes(node: NodeOf<OpKind>, sizes: readonly (number | string)[], like: string): [string, OnnxNode[]] {
  const name = `${node.name}.shape`;
  const numbers = sizes.filter((size) => typeof size === 'number');
  if (numbers.length === sizes.length) return [name, [integers(name, numbers)]];
  const parts = sizes.map((size, axis) =>
    typeof size === 'number'
      ? integers(`${name}.${axis}`, [size])
      : inner(node, `shape.${axis}`, 'Shape', [like], { start: axis, end: axis + 1 }),
  );
  const whole = inner(
    node,
    'shape',
    'Concat',
    parts.map((part) => part.name),
    { axis: 0 },
  );
  return [name, [...parts, whole]];
}

const writePool = (node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'>, attributes: OnnxNode['attributes']): OnnxNode[] => {
  const { kernel_shape, strides, pads } = node.attrs;
  return write(node.kind, node, [], { kernel_shape, strides, pads, ...attributes });
};

export const NODE_WRITERS: { readonly [K in FileKind]: NodeWriter<K> } = {
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
  Clip: (node, { constant, half: isHalf }) => {
    const { min, max } = node.attrs;
    const [least, most] = [
      constant(`${node.name}.min`, scalarOf(min, isHalf)),
      constant(`${node.name}.max`, scalarOf(max, isHalf)),
    ];
    return write('Clip', node, [least, most]);
  },
  HardSigmoid: (node) => write('HardSigmoid', node, [], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
  HardSwish: (node) => write('HardSwish', node),
  // Swish and Gelu are ops of their own from opset 24 and 20 on only.
  Swish: (node) => {
    const gate = inner(node, 'sigmoid', 'Sigmoid', node.inputs);
    return [gate, last(node, 'Mul', [...node.inputs, gate.name])];
  },
  Gelu: (node, { constant, half: isHalf }) => {
    const { name, inputs } = node;
    const [root, one, half] = [Math.SQRT2, 1, 0.5].map((value, i) =>
      constant(`${name}.c${i}`, scalarOf(value, isHalf)),
    );
    const scaled = inner(node, 'div', 'Div', [inputs[0]!, root!]);
    const erf = inner(node, 'erf', 'Erf', [scaled.name]);
    const sum = inner(node, 'add', 'Add', [erf.name, one!]);
    const product = inner(node, 'mul', 'Mul', [inputs[0]!, sum.name]);
    return [scaled, erf, sum, product, last(node, 'Mul', [product.name, half!])];
  },
  PRelu: (node) => write('PRelu', node, named(node, 'slope')),
  Add: (node) => write('Add', node),
  Mul: (node) => write('Mul', node),
  Affine: (node, { constant, half }) => {
    const { alpha, beta } = node.attrs;
    const number = (name: string, value: number): string => constant(`${node.name}.${name}`, scalarOf(value, half));
    if (beta === 0) return [last(node, 'Mul', [...node.inputs, number('alpha', alpha)])];
    const scaled = alpha === 1 ? [] : [inner(node, 'scaled', 'Mul', [...node.inputs, number('alpha', alpha)])];
    return [...scaled, last(node, 'Add', [scaled[0]?.name ?? node.inputs[0]!, number('beta', beta)])];
  },
  Max: (node) => write('Max', node),
  Concat: (node) => write('Concat', node, [], { axis: node.attrs.axis }),
  Split: (node) => {
    const sizes = integers(`${node.name}.sizes`, node.attrs.split);
    return [sizes, ...write('Split', node, [sizes.name], { axis: node.attrs.axis })];
  },
  Slice: (node) => {
    const { axis, start, end } = node.attrs;
    const places = Object.entries({ start, end, axis }).map(([key, value]) => integers(`${node.name}.${key}`, [value]));
    return [
      ...places,
      ...write(
        'Slice',
        node,
        places.map(({ name }) => name),
      ),
    ];
  },
  // [N, C, H, W] → [N, groups, C / groups, H · W] → [N, C / groups, groups, H · W] → the shape it had
  ChannelShuffle: (node, { dimsOf }) => {
    const { name, inputs, attrs } = node;
    const [, channels, h, w] = dimsOf(inputs[0]!) as [unknown, number, number | string, number | string];
    const parts = integers(`${name}.parts`, [0, attrs.groups, channels / attrs.groups, -1]);
    const whole =
      typeof h === 'number' && typeof w === 'number'
        ? integers(`${name}.whole`, [0, channels, h, w])
        : inner(node, 'whole', 'Shape', inputs);
    const grouped = inner(node, 'grouped', 'Reshape', [inputs[0]!, parts.name]);
    const turned = inner(node, 'turned', 'Transpose', [grouped.name], { perm: [0, 2, 1, 3] });
    return [parts, whole, grouped, turned, last(node, 'Reshape', [turned.name, whole.name])];
  },
  Pad: (node) => {
    const [top, left, bottom, right] = node.attrs.pads;
    const pads = integers(`${node.name}.pads`, [0, 0, top, left, 0, 0, bottom, right]);
    return [pads, ...write('Pad', node, [pads.name])];
  },
  MaxPool: (node) => writePool(node, {}),
  AveragePool: (node) => writePool(node, { count_include_pad: Number(node.attrs.count_include_pad) }),
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
  ReduceMean: (node) => write('ReduceMean', node, [], { axes: node.attrs.axes, keepdims: Number(node.attrs.keepdims) }),
  Flatten: (node) => write('Flatten', node, [], { axis: 1 }),
  // ONNX's own is for matrices; of more axes it is a MatMul, for which the weight is turned (once: it is a constant).
  Gemm: (node, { dimsOf }) => {
    const [input] = node.inputs as [string];
    if (dimsOf(input).length === 2) return write('Gemm', node, named(node, 'weight', 'bias'), { transB: 1 });
    const turned = inner(node, 'turned', 'Transpose', named(node, 'weight'), { perm: [1, 0] });
    if (!node.params.bias) return [turned, last(node, 'MatMul', [input, turned.name])];
    const product = inner(node, 'product', 'MatMul', [input, turned.name]);
    return [turned, product, last(node, 'Add', [product.name, node.params.bias])];
  },
  Softmax: (node) => write('Softmax', node, [], { axis: -1 }),
  MatMul: (node) => write('MatMul', node),
  Transpose: (node) => write('Transpose', node, [], { perm: node.attrs.perm }),
  Reshape: (node, { dimsOf }) => {
    const { inputs, attrs } = node;
    const [x, like] = inputs as [string, string?];
    const sizes = like ? attrs.shape.map((size, axis) => size || dimsOf(like)[axis]!) : attrs.shape;
    const [shape, made] = shapeNodes(node, sizes, like ?? x);
    return [...made, last(node, 'Reshape', [x, shape])];
  },
  SpaceToDepth: (node) => write('SpaceToDepth', node, [], { blocksize: node.attrs.blocksize }),
  DepthToSpace: (node) => write('DepthToSpace', node, [], { blocksize: node.attrs.blocksize }),
  LayerNormalization: (node) => {
    const { axis, epsilon } = node.attrs;
    return write('LayerNormalization', node, named(node, 'weight', 'bias'), { axis, epsilon: { float: epsilon } });
  },
  Constant: (node, { half, constant }) => {
    const { shape, value } = node.attrs;
    return [last(node, 'Identity', [constant(`${node.name}.value`, tensorOf(shape, value, half))])];
  },
  Parameter: (node, { dimsOf }) => {
    const [value] = named(node, 'value') as [string];
    const [like] = node.inputs;
    if (!like) return [last(node, 'Identity', [value])];
    const [, ...others] = dimsOf(node.outputs[0]!);
    const [shape, made] = shapeNodes(node, [dimsOf(like)[0]!, ...others], like);
    return [...made, last(node, 'Expand', [value, shape])];
  },
};

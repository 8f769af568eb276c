/** How each inference op is written in TFLite. The table is checked for completeness by the compiler. */
import type { Shape, Tensor } from '../../core/tensor.ts';
import type { Node, NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import type { TableValue } from './flatbuffer.ts';
import { ACTIVATION, type Operator, PADDING, TENSOR_TYPES } from './schema.ts';
import { nhwc, type Writer } from './writer.ts';

/** The op kinds of inference graphs that are written; eval-mode `RepConv` is spelled out by `expandBranches` before. */
export type TfliteKind = Extract<
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

type NodeWriter<K extends TfliteKind> = (writer: Writer, node: NodeOf<K>) => void;

const NO_ACTIVATION: TableValue = { fused_activation_function: ACTIVATION.NONE };

export const NODE_WRITERS: { readonly [K in TfliteKind]: NodeWriter<K> } = {
  // (image / 255 − mean) / std = image · scale + shift. Neither is folded into the stem: its padding is zeros of the normalized image.
  Preprocess: (writer, { name, inputs, outputs, attrs: { mean, std } }) => {
    const shape = nhwc(writer.shapeOf(outputs[0]!));
    const image = (step: string): number => writer.intermediate(`${name}.${step}`, shape);
    const perChannel = (step: string, values: readonly number[]): number =>
      writer.constant(`${name}.${step}`, [shape[3]!], Float32Array.from(values));
    const [float, scaled] = [image('float'), image('scaled')];
    const types = { in_data_type: TENSOR_TYPES.UINT8, out_data_type: TENSOR_TYPES.FLOAT32 };
    writer.emit('CAST', [writer.tensorOf(inputs[0]!)], float, types);
    const scale = std.map((s) => 1 / (255 * s));
    writer.emit('MUL', [float, perChannel('scale', scale)], scaled, NO_ACTIVATION);
    const shift = std.map((s, c) => -mean[c]! / s);
    writer.emit('ADD', [scaled, perChannel('shift', shift)], writer.tensorOf(outputs[0]!), NO_ACTIVATION);
  },
  Conv: writeConv,
  // Alone, as in the skip branch of the train form; behind a convolution it is folded into that.
  BatchNormalization: (writer, node) => {
    const { scale, shift } = scaleAndShift(writer, node);
    const perChannel = (step: string, values: Float32Array): number =>
      writer.constant(`${node.name}.${step}`, [values.length], values);
    const scaled = writer.intermediate(`${node.name}.scaled`, nhwc(writer.shapeOf(node.outputs[0]!)));
    writer.emit('MUL', [writer.tensorOf(node.inputs[0]!), perChannel('scale', scale)], scaled, NO_ACTIVATION);
    const { output, ...activation } = writer.activated(node.outputs[0]!);
    writer.emit('ADD', [scaled, perChannel('shift', shift)], output, activation);
  },
  Gemm: (writer, node) => {
    const { shape, data } = writer.weight(node, 'weight')!;
    const outputs = shape[0]!;
    const bias = Float32Array.from(writer.weight(node, 'bias')?.data ?? new Float32Array(outputs));
    const w = writer.weights(`${node.name}.weight`, shape, Float32Array.from(data));
    const b = writer.constant(`${node.name}.bias`, [outputs], bias);
    const { output, ...activation } = writer.activated(node.outputs[0]!);
    writer.emit('FULLY_CONNECTED', [writer.tensorOf(node.inputs[0]!), w, b], output, activation);
  },
  Relu: plain('RELU'),
  Sigmoid: plain('LOGISTIC'),
  Softmax: plain('SOFTMAX', { beta: 1 }),
  Add: carrying('ADD'),
  Mul: carrying('MUL'),
  // A Flatten behind it is the mean without the dimensions that it leaves.
  GlobalAveragePool: (writer, node) => {
    const axes = writer.constant(`${node.name}.axes`, [2], Int32Array.of(1, 2));
    const flatten = writer.absorb(node.outputs[0]!, 'Flatten');
    const output = writer.tensorOf((flatten ?? node).outputs[0]!);
    writer.emit('MEAN', [writer.tensorOf(node.inputs[0]!), axes], output, { keep_dims: !flatten });
  },
  Flatten: (writer, node) => {
    const [, features] = writer.shapeOf(node.outputs[0]!);
    const [, , h, w] = writer.shapeOf(node.inputs[0]!);
    if (h! * w! > 1) throw new TypeError(`node "${node.name}": only [N, C, 1, 1] is flattened in a TFLite file`);
    const target = writer.constant(`${node.name}.shape`, [2], Int32Array.of(-1, features!));
    const [x, y] = [writer.tensorOf(node.inputs[0]!), writer.tensorOf(node.outputs[0]!)];
    writer.emit('RESHAPE', [x, target], y, { new_shape: [-1, features!] });
  },
};

function plain(operator: Operator, options?: TableValue): (writer: Writer, node: Node) => void {
  return (writer, node) =>
    writer.emit(operator, node.inputs.map(writer.tensorOf), writer.tensorOf(node.outputs[0]!), options);
}

/** An operator that can carry a Relu and has no other options. */
function carrying(operator: Operator): (writer: Writer, node: Node) => void {
  return (writer, node) => {
    const { output, ...activation } = writer.activated(node.outputs[0]!);
    writer.emit(operator, node.inputs.map(writer.tensorOf), output, activation);
  };
}

function writeConv(writer: Writer, node: NodeOf<'Conv'>): void {
  const { strides, dilations, group } = node.attrs;
  const [, channels] = writer.shapeOf(node.inputs[0]!);
  const outputs = writer.shapeOf(node.outputs[0]!)[1]!;
  const depthwise = group > 1;
  if (depthwise && (group !== channels || outputs !== channels))
    throw new TypeError(`node "${node.name}": TFLite has dense and depthwise convolutions, not ${group} groups`);
  const norm = writer.absorb(node.outputs[0]!, 'BatchNormalization');
  const { scale, shift } = norm ? scaleAndShift(writer, norm) : IDENTITY;
  const filter = arrange(writer.weight(node, 'weight')!, depthwise, scale);
  const before = writer.weight(node, 'bias')?.data;
  const bias = Float32Array.from({ length: outputs }, (_, o) => (before?.[o] ?? 0) * (scale[o] ?? 1) + (shift[o] ?? 0));
  const padding = padded(writer, node);
  const w = writer.weights(`${node.name}.weight`, filter.shape, filter.data);
  const b = writer.constant(`${node.name}.bias`, [outputs], bias);
  const { output, ...activation } = writer.activated((norm ?? node).outputs[0]!);
  writer.emit(depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', [padding.input, w, b], output, {
    padding: padding.mode,
    stride_h: strides[0],
    stride_w: strides[1],
    dilation_h_factor: dilations[0],
    dilation_w_factor: dilations[1],
    ...activation,
    ...(depthwise ? { depth_multiplier: 1 } : {}),
  });
}

const IDENTITY = { scale: new Float32Array(0), shift: new Float32Array(0) };

/** BatchNormalization with running statistics as x · scale + shift. */
function scaleAndShift(
  writer: Writer,
  node: NodeOf<'BatchNormalization'>,
): { scale: Float32Array; shift: Float32Array } {
  const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (role) => writer.weight(node, role)!.data,
  ) as [Tensor['data'], Tensor['data'], Tensor['data'], Tensor['data']];
  const factor = (c: number): number => weight[c]! / Math.sqrt(variance[c]! + node.attrs.epsilon);
  return {
    scale: Float32Array.from({ length: weight.length }, (_, c) => factor(c)),
    shift: Float32Array.from({ length: weight.length }, (_, c) => bias[c]! - mean[c]! * factor(c)),
  };
}

/** `[O, I, kh, kw]` → `[O, kh, kw, I]`, or for depthwise kernels `[C, 1, kh, kw]` → `[1, kh, kw, C]`; each output scaled. */
function arrange(
  { shape, data }: Tensor,
  depthwise: boolean,
  scale: Float32Array,
): { shape: Shape; data: Float32Array } {
  const [outputs, inputs, kh, kw] = shape as [number, number, number, number];
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++) {
          const to = depthwise ? (y * kw + x) * outputs + o : ((o * kh + y) * kw + x) * inputs + i;
          moved[to] = data[at++]! * (scale[o] ?? 1);
        }
  return { shape: depthwise ? [1, kh, kw, outputs] : [outputs, kh, kw, inputs], data: moved };
}

/** What a convolution reads, and its padding: a Pad goes before it where TensorFlow's SAME pads otherwise than the graph. */
function padded(writer: Writer, { name, inputs, attrs }: NodeOf<'Conv'>): { input: number; mode: number } {
  const { kernel_shape: kernel, strides, pads, dilations } = attrs;
  const [top, left, bottom, right] = pads;
  const value = inputs[0]!;
  const input = writer.tensorOf(value);
  if (pads.every((pad) => pad === 0)) return { input, mode: PADDING.VALID };
  const [N, C, H, W] = writer.shapeOf(value) as [number, number, number, number];
  const same =
    isSame(H, kernel[0], strides[0], dilations[0], top, bottom) &&
    isSame(W, kernel[1], strides[1], dilations[1], left, right);
  if (same) return { input, mode: PADDING.SAME };
  // The branches of a RepConv read the same padded image.
  const wider = writer.once(`${value} padded ${pads}`, () => {
    const paddings = Int32Array.of(0, 0, top, bottom, left, right, 0, 0);
    const pad = writer.intermediate(`${name}.pad`, [N, H + top + bottom, W + left + right, C]);
    writer.emit('PAD', [input, writer.constant(`${name}.paddings`, [4, 2], paddings)], pad, {});
    return pad;
  });
  return { input: wider, mode: PADDING.VALID };
}

/** Whether TensorFlow's SAME pads this axis as the graph does (`before`, `after`). */
function isSame(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  before: number,
  after: number,
): boolean {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size);
  return before === Math.floor(total / 2) && after === total - before;
}

/** Operators that move elements or combine values of several shapes, each in the order in which its values are stored. */
import { type Shape, sizeOf } from '../../core/tensor.ts';
import type { Node, NodeOf } from '../../graph/graph.ts';
import { logicalOrder, type Order, orderOfRank, permuted, withoutAxes } from './order.ts';
import { ACTIVATION, type Operator } from './schema.ts';
import type { Writer } from './writer.ts';

/** A shape whose batch stays open to `resize_tensor_input` where the tensor begins with it. */
const openBatch = (shape: Shape, isBatch: boolean): number[] => (isBatch ? [-1, ...shape.slice(1)] : [...shape]);

function reshape(writer: Writer, name: string, x: number, y: number, shape: readonly number[]): void {
  const target = writer.constant(`${name}.shape`, [shape.length], Int32Array.from(shape));
  writer.emit('RESHAPE', [x, target], y, { new_shape: [...shape] });
}

/** A value as an operand beside one of a higher rank in that order: its axes are the last ones, the others have one element. */
function operand(writer: Writer, name: string, value: string, order: Order): number {
  const shape = writer.shapeOf(value);
  const missing = order.length - shape.length;
  if (missing === 0) return writer.inOrder(value, order);
  const x = writer.inOrder(
    value,
    order.flatMap((axis) => (axis < missing ? [] : axis - missing)),
  );
  const beside = order.map((axis) => shape[axis - missing] ?? 1);
  const leading = beside.findIndex((_, place) => order[place]! >= missing);
  // Axes of one element that stand in front may be left out.
  if (beside.length - leading === shape.length || leading < 0) return x;
  const y = writer.intermediate(`${name}.${value}`, beside);
  reshape(writer, `${name}.${value}`, x, y, beside);
  return y;
}

/** An operator of two values that broadcast; it can carry an activation. The larger one is taken as it is stored. */
export function broadcasting(operator: Operator): (writer: Writer, node: Node) => void {
  return (writer, node) => {
    const rank = writer.shapeOf(node.outputs[0]!).length;
    const sizes = node.inputs.map((value) => {
      const shape = writer.shapeOf(value);
      return shape.length === rank ? sizeOf(shape) : -1;
    });
    const order = writer.orderOf(node.inputs[sizes.indexOf(Math.max(...sizes))]!);
    const operands = node.inputs.map((value) => operand(writer, node.name, value, order));
    const { output, ...activation } = writer.activated(node.outputs[0]!, order);
    writer.emit(operator, operands, output, activation);
  };
}

export function writeConcat(writer: Writer, { inputs, outputs, attrs }: NodeOf<'Concat'>): void {
  const order = writer.orderOf(inputs[0]!);
  writer.emit(
    'CONCATENATION',
    inputs.map((value) => writer.inOrder(value, order)),
    writer.result(outputs[0]!, order),
    { axis: order.indexOf(attrs.axis), fused_activation_function: ACTIVATION.NONE },
  );
}

/** Elements start … start + length − 1 along an axis, all of the others. */
function emitSlice(writer: Writer, value: string, to: string, axis: number, start: number, length: number): void {
  const order = writer.orderOf(value);
  const place = order.indexOf(axis);
  const along = (at: number, others: number): Int32Array =>
    Int32Array.from(order, (_, i) => (i === place ? at : others));
  const begin = writer.constant(`${to}.begin`, [order.length], along(start, 0));
  const size = writer.constant(`${to}.size`, [order.length], along(length, -1));
  writer.emit('SLICE', [writer.tensorOf(value), begin, size], writer.result(to, order), {});
}

export function writeSlice(writer: Writer, { inputs, outputs, attrs }: NodeOf<'Slice'>): void {
  emitSlice(writer, inputs[0]!, outputs[0]!, attrs.axis, attrs.start, attrs.end - attrs.start);
}

/** Equal parts are one SPLIT; others a SLICE each. */
export function writeSplit(writer: Writer, { name, inputs, outputs, attrs }: NodeOf<'Split'>): void {
  const value = inputs[0]!;
  const order = writer.orderOf(value);
  if (attrs.split.every((length) => length === attrs.split[0])) {
    const axis = writer.constant(`${name}.axis`, [], Int32Array.of(order.indexOf(attrs.axis)));
    const parts = outputs.map((part) => writer.result(part, order));
    writer.emit('SPLIT', [axis, writer.tensorOf(value)], parts, { num_splits: parts.length });
    return;
  }
  let start = 0;
  attrs.split.forEach((length, i) => {
    emitSlice(writer, value, outputs[i]!, attrs.axis, start, length);
    start += length;
  });
}

/** `[…, C]` → `[…, groups, C / groups]`, these two turned, and back; the axes before are one. */
export function writeChannelShuffle(writer: Writer, { name, inputs, outputs, attrs }: NodeOf<'ChannelShuffle'>): void {
  const order = orderOfRank(4);
  const x = writer.inOrder(inputs[0]!, order);
  const shape = permuted(writer.shapeOf(inputs[0]!), order);
  const [pixels, channels] = [sizeOf(shape.slice(0, 3)), shape[3]!];
  const [groups, each] = [attrs.groups, channels / attrs.groups];
  const [parts, turned] = [
    writer.intermediate(`${name}.parts`, [pixels, groups, each]),
    writer.intermediate(`${name}.turned`, [pixels, each, groups]),
  ];
  reshape(writer, `${name}.parts`, x, parts, [-1, groups, each]);
  const perm = writer.constant(`${name}.perm`, [3], Int32Array.of(0, 2, 1));
  writer.emit('TRANSPOSE', [parts, perm], turned, {});
  reshape(writer, name, turned, writer.result(outputs[0]!, order), openBatch(shape, true));
}

/** Mean over axes of the graph. */
export function emitMean(writer: Writer, node: Node, to: string, axes: readonly number[], keepdims: boolean): void {
  const value = node.inputs[0]!;
  const order = writer.orderOf(value);
  const places = axes.map((axis) => order.indexOf(axis)).sort((a, b) => a - b);
  const constant = writer.constant(`${node.name}.axes`, [places.length], Int32Array.from(places));
  const output = writer.result(to, keepdims ? order : withoutAxes(order, axes));
  writer.emit('MEAN', [writer.tensorOf(value), constant], output, { keep_dims: keepdims });
}

export function writeReduceMean(writer: Writer, node: NodeOf<'ReduceMean'>): void {
  emitMean(writer, node as Node, node.outputs[0]!, node.attrs.axes, node.attrs.keepdims);
}

/** A Flatten behind it is the mean without the dimensions that it leaves. */
export function writeGlobalAveragePool(writer: Writer, node: NodeOf<'GlobalAveragePool'>): void {
  const flatten = writer.absorb(node.outputs[0]!, 'Flatten');
  emitMean(writer, node as Node, (flatten ?? node).outputs[0]!, [2, 3], !flatten);
}

/** `[N, C, H, W]` is brought into the graph's order first, unless that moves nothing. */
export function writeFlatten(writer: Writer, { name, inputs, outputs }: NodeOf<'Flatten'>): void {
  const value = inputs[0]!;
  const shape = writer.shapeOf(value);
  const long = writer.orderOf(value).filter((axis) => axis === 0 || shape[axis]! > 1);
  const moves = long.some((axis, i) => i > 0 && axis < long[i - 1]!);
  const x = moves ? writer.inOrder(value, logicalOrder(shape.length)) : writer.tensorOf(value);
  reshape(writer, name, x, writer.result(outputs[0]!), openBatch(writer.shapeOf(outputs[0]!), true));
}

/** Softmax is over the last axis, which must be the last one of the tensor too. */
export function writeSoftmax(writer: Writer, { inputs, outputs }: NodeOf<'Softmax'>): void {
  const value = inputs[0]!;
  const last = writer.shapeOf(value).length - 1;
  const order = [...writer.orderOf(value).filter((axis) => axis !== last), last];
  writer.emit('SOFTMAX', [writer.inOrder(value, order)], writer.result(outputs[0]!, order), { beta: 1 });
}

/** Operators that move, join and part elements, each in the order in which its values are stored. */
import { sizeOf } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import { orderOfLargest } from './broadcast.ts';
import { inNewOrder, logicalOrder, NHWC, permuted, reshapedOrder } from './order.ts';
import { ACTIVATION } from './schema.ts';
import type { Writer } from './writer.ts';

export function writeConcat(writer: Writer, { inputs, outputs, attrs }: NodeOf<'Concat'>): void {
  const order = orderOfLargest(writer, inputs);
  const parts = inputs.map((value) => writer.inOrder(value, order));
  const options = { axis: order.indexOf(attrs.axis), fused_activation_function: ACTIVATION.NONE };
  writer.emit('CONCATENATION', parts, writer.result(outputs[0]!, order), options);
}

/** Elements start … end − 1 along an axis, and by the mask all of the others, however many images there are. */
function emitSlice(writer: Writer, value: string, to: string, axis: number, [start, end]: [number, number]): void {
  const order = writer.orderOf(value);
  const place = order.indexOf(axis);
  const along = (at: number, others: number): Int32Array =>
    Int32Array.from(order, (_, i) => (i === place ? at : others));
  const others = 2 ** order.length - 1 - 2 ** place;
  const places = { begin: along(start, 0), end: along(end, 1), strides: along(1, 1) };
  const operands = Object.entries(places).map(([name, values]) =>
    writer.constant(`${to}.${name}`, [order.length], values),
  );
  const y = writer.result(to, order);
  writer.emit('STRIDED_SLICE', [writer.tensorOf(value), ...operands], y, { begin_mask: others, end_mask: others });
}

export function writeSlice(writer: Writer, { inputs, outputs, attrs }: NodeOf<'Slice'>): void {
  emitSlice(writer, inputs[0]!, outputs[0]!, attrs.axis, [attrs.start, attrs.end]);
}

/** Equal parts are one SPLIT; others a STRIDED_SLICE each. */
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
    emitSlice(writer, value, outputs[i]!, attrs.axis, [start, start + length]);
    start += length;
  });
}

/** `[…, C]` → `[…, groups, C / groups]`, these two turned, and back; the axes before are one. */
export function writeChannelShuffle(writer: Writer, { name, inputs, outputs, attrs }: NodeOf<'ChannelShuffle'>): void {
  const x = writer.inOrder(inputs[0]!, NHWC);
  const shape = permuted(writer.shapeOf(inputs[0]!), NHWC);
  const [pixels, channels] = [sizeOf(shape.slice(0, 3)), shape[3]!];
  const [groups, each] = [attrs.groups, channels / attrs.groups];
  const [parts, turned] = [
    writer.intermediate(`${name}.parts`, [pixels, groups, each]),
    writer.intermediate(`${name}.turned`, [pixels, each, groups]),
  ];
  writer.reshape(`${name}.parts`, x, parts, [-1, groups, each]);
  const perm = writer.constant(`${name}.perm`, [3], Int32Array.of(0, 2, 1));
  writer.emit('TRANSPOSE', [parts, perm], turned, {});
  writer.reshape(name, turned, writer.result(outputs[0]!, NHWC), writer.openShape(outputs[0]!, NHWC));
}

/** Pixels of a block to channels, or back; the order of the channels is ONNX's. */
export function writeBlocks(
  operator: 'SPACE_TO_DEPTH' | 'DEPTH_TO_SPACE',
): (writer: Writer, node: NodeOf<'SpaceToDepth'> | NodeOf<'DepthToSpace'>) => void {
  return (writer, { inputs, outputs, attrs }) => {
    const x = writer.inOrder(inputs[0]!, NHWC);
    writer.emit(operator, [x], writer.result(outputs[0]!, NHWC), { block_size: attrs.blocksize });
  };
}

/** The same elements in another shape. They stay as they are stored unless axes that are no neighbors there are joined. */
export function writeReshape(writer: Writer, { name, inputs, outputs }: NodeOf<'Flatten'> | NodeOf<'Reshape'>): void {
  const [value, made] = [inputs[0]!, outputs[0]!];
  const constant = writer.fixedOf(value);
  if (constant) {
    writer.fix(made, { shape: writer.shapeOf(made), data: constant.tensor.data }, constant.isWeight);
    return;
  }
  const [from, to] = [writer.probeOf(value), writer.probeOf(made)];
  const stays = reshapedOrder(from, to, writer.orderOf(value));
  const x = stays ? writer.tensorOf(value) : writer.inOrder(value, logicalOrder(from.length));
  const order = stays ?? logicalOrder(to.length);
  writer.reshape(name, x, writer.result(made, order), writer.openShape(made, order));
}

/** Axes by other names: nothing moves until an operator needs it. */
export function writeTranspose(writer: Writer, { inputs, outputs, attrs }: NodeOf<'Transpose'>): void {
  const value = inputs[0]!;
  const constant = writer.fixedOf(value);
  if (constant) {
    writer.fix(outputs[0]!, inNewOrder(constant.tensor, attrs.perm), constant.isWeight);
    return;
  }
  const order = writer.orderOf(value).map((axis) => attrs.perm.indexOf(axis));
  writer.share(outputs[0]!, writer.tensorOf(value), order);
}

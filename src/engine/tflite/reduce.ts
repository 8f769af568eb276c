/** Means, and what is made of them: normalization; softmax. */
import type { Node, NodeOf } from '../../graph/graph.ts';
import { numbersBeside } from './broadcast.ts';
import type { TableValue } from './flatbuffer.ts';
import { logicalOrder, permuted, withLast, withoutAxes } from './order.ts';
import { ACTIVATION, type Operator } from './schema.ts';
import type { Writer } from './writer.ts';

const NO_ACTIVATION: TableValue = { fused_activation_function: ACTIVATION.NONE };

/** Mean over axes of the graph. */
function emitMean(writer: Writer, node: Node, to: string, axes: readonly number[], keepdims: boolean): void {
  const value = node.inputs[0]!;
  const order = writer.orderOf(value);
  const places = Int32Array.from(axes, (axis) => order.indexOf(axis)).sort();
  const constant = writer.constant(`${node.name}.axes`, [places.length], places);
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

/** Softmax is over the last axis, which must be the last one of the tensor too. */
export function writeSoftmax(writer: Writer, { inputs, outputs }: NodeOf<'Softmax'>): void {
  const value = inputs[0]!;
  const order = withLast(writer.orderOf(value), writer.shapeOf(value).length - 1);
  writer.emit('SOFTMAX', [writer.inOrder(value, order)], writer.result(outputs[0]!, order), { beta: 1 });
}

/** d = x − mean(x); d · rsqrt(mean(d · d) + epsilon) · weight + bias. TFLite has no operator for it. */
export function writeLayerNormalization(writer: Writer, node: NodeOf<'LayerNormalization'>): void {
  const { name, inputs, outputs, attrs } = node;
  const value = inputs[0]!;
  const order = writer.orderOf(value);
  const rank = order.length;
  const shape = permuted(writer.shapeOf(value), order);
  const over = logicalOrder(rank).slice(attrs.axis);
  const small = shape.map((size, place) => (over.includes(order[place]!) ? 1 : size));
  const places = Int32Array.from(over, (axis) => order.indexOf(axis)).sort();
  const axes = writer.constant(`${name}.axes`, [places.length], places);
  const step = (what: string, operator: Operator, operands: readonly number[], isSmall = false): number => {
    const y = writer.intermediate(`${name}.${what}`, isSmall ? small : shape);
    const options = operator === 'MEAN' ? { keep_dims: true } : operator === 'RSQRT' ? undefined : NO_ACTIVATION;
    writer.emit(operator, operands, y, options);
    return y;
  };
  const x = writer.tensorOf(value);
  const centered = step('centered', 'SUB', [x, step('mean', 'MEAN', [x, axes], true)]);
  const variance = step('variance', 'MEAN', [step('square', 'MUL', [centered, centered]), axes], true);
  const epsilon = writer.constant(`${name}.epsilon`, [], Float32Array.of(attrs.epsilon));
  const scale = step('scale', 'RSQRT', [step('sum', 'ADD', [variance, epsilon], true)], true);
  const [weight, bias] = (['weight', 'bias'] as const).map((role) =>
    numbersBeside(writer, `${name}.${role}`, writer.weight(node, role)!, order),
  ) as [number, number];
  const weighted = step('weighted', 'MUL', [step('normal', 'MUL', [centered, scale]), weight]);
  const { output, ...activation } = writer.activated(outputs[0]!, order);
  writer.emit('ADD', [weighted, bias], output, activation);
}

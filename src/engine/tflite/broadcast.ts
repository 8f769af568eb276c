/** Operators on values of several shapes, which broadcast as in NumPy: to the last axes of the graph, wherever these are stored. */
import { type Shape, sizeOf, type Tensor } from '../../core/tensor.ts';
import type { Node, NodeOf } from '../../graph/graph.ts';
import { broadcastShape } from '../../graph/shape-rules.ts';
import { inNewOrder, type Order, permuted } from './order.ts';
import type { Writer } from './writer.ts';

/** The order of the largest of some values; of those that have the most axes, and of constants only where there is nothing else. */
export function orderOfLargest(writer: Writer, values: readonly string[]): Order {
  const rank = Math.max(...values.map((value) => writer.shapeOf(value).length));
  const weights = values.map((value) => {
    const shape = writer.shapeOf(value);
    return shape.length < rank ? -1 : writer.fixedOf(value) ? 0 : sizeOf(shape);
  });
  return writer.orderOf(values[weights.indexOf(Math.max(...weights))]!);
}

/** A shape as it stands beside values of more axes: those in front have one element. */
const widened = (shape: Shape, rank: number): Shape => [
  ...Array.from({ length: rank - shape.length }, () => 1),
  ...shape,
];

/** A value as an operand beside one of more axes in that order. */
function operand(writer: Writer, name: string, value: string, order: Order): number {
  const shape = writer.shapeOf(value);
  const missing = order.length - shape.length;
  if (missing === 0) return writer.inOrder(value, order);
  const own = order.filter((axis) => axis >= missing).map((axis) => axis - missing);
  const x = writer.inOrder(value, own);
  // Axes of one element that stand in front may be left out.
  if (order.slice(missing).every((axis) => axis >= missing)) return x;
  const beside = permuted(widened(shape, order.length), order);
  const y = writer.intermediate(`${name}.${value}`, beside);
  const [open, places] = [writer.openShape(value, own), order.map((axis) => own.indexOf(axis - missing))];
  const target = places.map((place) => (place < 0 ? 1 : open[place]!));
  writer.reshape(`${name}.${value}`, x, y, target);
  return y;
}

/** Numbers as an operand beside a value of that many axes in that order. */
export function numbersBeside(writer: Writer, name: string, { shape, data }: Tensor, order: Order): number {
  const moved = inNewOrder({ shape: widened(shape, order.length), data }, order);
  return writer.constant(name, moved.shape, moved.data);
}

/** An operator of two values; it can carry an activation. The larger value is taken as it is stored. */
export function broadcasting(operator: 'ADD' | 'MUL'): (writer: Writer, node: Node) => void {
  return (writer, { name, inputs, outputs }) => {
    const order = orderOfLargest(writer, inputs);
    const operands = inputs.map((value) => operand(writer, name, value, order));
    const { output, ...activation } = writer.activated(outputs[0]!, order);
    writer.emit(operator, operands, output, activation);
  };
}

/** The largest of two and more values, two at a time. */
export function writeMax(writer: Writer, { name, inputs, outputs }: NodeOf<'Max'>): void {
  const order = orderOfLargest(writer, inputs);
  const [first, ...others] = inputs.map((value) => operand(writer, name, value, order)) as [number, ...number[]];
  let x = first;
  let shape = writer.shapeOf(inputs[0]!);
  others.forEach((other, i) => {
    shape = broadcastShape(shape, writer.shapeOf(inputs[i + 1]!));
    const part = (): number => writer.intermediate(`${name}.${i}`, permuted(widened(shape, order.length), order));
    const y = i === others.length - 1 ? writer.result(outputs[0]!, order) : part();
    writer.emit('MAXIMUM', [x, other], y, {});
    x = y;
  });
  if (others.length === 0) writer.share(outputs[0]!, x, order);
}

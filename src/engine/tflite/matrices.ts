/** Products of matrices. */
import type { NodeOf } from '../../graph/graph.ts';
import { logicalOrder, type Order, sameOrder, withLast } from './order.ts';
import type { Writer } from './writer.ts';

/** x · weightᵀ + bias over the last axis, which must be the last one of the tensor too; the others may have any order. */
export function writeGemm(writer: Writer, node: NodeOf<'Gemm'>): void {
  const { shape, data } = writer.weight(node, 'weight')!;
  const outputs = shape[0]!;
  const bias = Float32Array.from(writer.weight(node, 'bias')?.data ?? new Float32Array(outputs));
  const w = writer.weights(`${node.name}.weight`, shape, Float32Array.from(data));
  const b = writer.constant(`${node.name}.bias`, [outputs], bias);
  const value = node.inputs[0]!;
  const rank = writer.shapeOf(value).length;
  const order = withLast(writer.orderOf(value), rank - 1);
  const x = writer.inOrder(value, order);
  const { output, ...activation } = writer.activated(node.outputs[0]!, order);
  if (rank === 2) writer.emit('FULLY_CONNECTED', [x, w, b], output, activation);
  else writer.emit('FULLY_CONNECTED_ROWS', [x, w, b], output, { ...activation, keep_num_dims: true });
}

/** The last two axes turned. */
const turned = (rank: number): Order => {
  const axes = logicalOrder(rank);
  return [...axes.slice(0, -2), axes[rank - 1]!, axes[rank - 2]!];
};

/** Of the second matrix either order of rows and columns will do, of the first that of the graph. */
export function writeMatMul(writer: Writer, { inputs, outputs }: NodeOf<'MatMul'>): void {
  const [a, b] = inputs as [string, string];
  const [left, right] = [writer.shapeOf(a).length, writer.shapeOf(b).length];
  const stored = writer.orderOf(b);
  // Moving whole rows is cheaper: the axis that is last stays last if it can.
  const isTurned = !sameOrder(stored, logicalOrder(right)) && !writer.fixedOf(b) && stored.at(-1) === right - 2;
  const operands = [
    writer.inOrder(a, logicalOrder(left)),
    writer.inOrder(b, isTurned ? turned(right) : logicalOrder(right)),
  ];
  const y = writer.result(outputs[0]!, logicalOrder(Math.max(left, right)));
  writer.emit('BATCH_MATMUL', operands, y, { adj_x: false, adj_y: isTurned });
}

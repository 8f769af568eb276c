/** Activations: which of them operators carry in themselves, and of what the others are composed. */
import type { Node, NodeOf } from '../../graph/graph.ts';
import type { TableValue } from './flatbuffer.ts';
import { NHWC, permuted } from './order.ts';
import { ACTIVATION, type Activation, type Operator } from './schema.ts';
import type { Writer } from './writer.ts';

const NO_ACTIVATION: TableValue = { fused_activation_function: ACTIVATION.NONE };

/** The activation that a node is, if it is one that convolutions, sums and the like carry in themselves. */
export function fusedActivation(node: Node): Exclude<Activation, 'NONE'> | undefined {
  if (node.kind === 'Relu') return 'RELU';
  if (node.kind !== 'Clip') return undefined;
  const { min, max } = node.attrs;
  if (min === -1 && max === 1) return 'RELU_N1_TO_1';
  if (min !== 0) return undefined;
  return max === 6 ? 'RELU6' : max === Number.POSITIVE_INFINITY ? 'RELU' : undefined;
}

/** One operator for a node of one input, which may be stored in any order. */
export function unary(operator: Operator, options?: TableValue): (writer: Writer, node: Node) => void {
  return (writer, node) => {
    const value = node.inputs[0]!;
    const x = writer.tensorOf(value);
    writer.emit(operator, [x], writer.result(node.outputs[0]!, writer.orderOf(value)), options);
  };
}

/** Operators of one input each, and of numbers beside it, one after the other. */
type Step = readonly [what: string, operator: Operator, number: number | undefined, options?: TableValue];

function chain(writer: Writer, node: Node, steps: readonly Step[]): void {
  const value = node.inputs[0]!;
  const order = writer.orderOf(value);
  const shape = permuted(writer.shapeOf(value), order);
  let x = writer.tensorOf(value);
  steps.forEach(([what, operator, number, options], i) => {
    const isLast = i === steps.length - 1;
    const y = isLast ? writer.result(node.outputs[0]!, order) : writer.intermediate(`${node.name}.${what}`, shape);
    const numbers =
      number === undefined ? [] : [writer.constant(`${node.name}.${what}.by`, [], Float32Array.of(number))];
    writer.emit(operator, [x, ...numbers], y, options);
    x = y;
  });
}

export function writeClip(writer: Writer, node: NodeOf<'Clip'>): void {
  const known = fusedActivation(node as Node);
  const { min, max } = node.attrs;
  const lower: readonly Step[] = min === Number.NEGATIVE_INFINITY ? [] : [['least', 'MAXIMUM', min, {}]];
  const upper: readonly Step[] = max === Number.POSITIVE_INFINITY ? [] : [['most', 'MINIMUM', max, {}]];
  // Without a bound it is the identity.
  const steps = [...lower, ...upper];
  if (known) unary(known)(writer, node as Node);
  else chain(writer, node as Node, steps.length > 0 ? steps : [['same', 'MUL', 1, NO_ACTIVATION]]);
}

/** relu6(x + 3) / 6 */
export function writeHardSigmoid(writer: Writer, node: NodeOf<'HardSigmoid'>): void {
  chain(writer, node as Node, [
    ['add', 'ADD', 3, { fused_activation_function: ACTIVATION.RELU6 }],
    ['mul', 'MUL', 1 / 6, NO_ACTIVATION],
  ]);
}

/** alpha · x + beta */
export function writeAffine(writer: Writer, node: NodeOf<'Affine'>): void {
  const { alpha, beta } = node.attrs;
  const sum: readonly Step[] = beta === 0 ? [] : [['sum', 'ADD', beta, NO_ACTIVATION]];
  const product: readonly Step[] = alpha === 1 && beta !== 0 ? [] : [['product', 'MUL', alpha, NO_ACTIVATION]];
  chain(writer, node as Node, [...product, ...sum]);
}

/** x · logistic(x) */
export function writeSwish(writer: Writer, { name, inputs, outputs }: NodeOf<'Swish'>): void {
  const value = inputs[0]!;
  const order = writer.orderOf(value);
  const x = writer.tensorOf(value);
  const gate = writer.intermediate(`${name}.logistic`, permuted(writer.shapeOf(value), order));
  writer.emit('LOGISTIC', [x], gate);
  writer.emit('MUL', [x, gate], writer.result(outputs[0]!, order), NO_ACTIVATION);
}

/** The slopes are the last axis, where XNNPACK wants them. */
export function writePRelu(writer: Writer, node: NodeOf<'PRelu'>): void {
  const slope = writer.weight(node, 'slope')!;
  const slopes = writer.constant(`${node.name}.slope`, [1, 1, slope.data.length], Float32Array.from(slope.data));
  const x = writer.inOrder(node.inputs[0]!, NHWC);
  writer.emit('PRELU', [x, slopes], writer.result(node.outputs[0]!, NHWC));
}

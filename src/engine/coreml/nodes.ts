/** How nodes of the IR are written as MIL operations (opset CoreML5): one table. */
import type { Shape } from '../../core/tensor.ts';
import type { Node, NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { boolValue, intValue, textValue, type Value } from './mil.ts';
import type { FloatType } from './weights.ts';

/** A value that an operation makes. */
export interface Result {
  readonly name: string;
  readonly shape: Shape;
  readonly type: FloatType;
}

/** What a node writer may use. Names of operations and constants are made from those of nodes. */
export interface MilWriter {
  /** Type of the values between operations. */
  readonly type: FloatType;
  /** MIL's name of a value of the graph. */
  nameOf(value: string): string;
  shapeOf(value: string): Shape;
  /** The result of a node. */
  resultOf(node: Node): Result;
  /** A name that nothing has yet. */
  fresh(name: string): string;
  /** A parameter of the node by role, as a constant; undefined if the node has none. */
  parameter(node: Node, role: string): string | undefined;
  constant(name: string, value: Value): string;
  floats(name: string, values: ArrayLike<number>, type: FloatType, shape: Shape): string;
  /** Writes an operation; returns the name of its result. */
  op(operation: string, result: Result, inputs: Readonly<Record<string, string | undefined>>): string;
  /** Writes the conversion of a value. */
  cast(x: string, result: Result): string;
}

type NodeWriter<K extends OpKind> = (writer: MilWriter, node: NodeOf<K>) => void;

/** An operation of the same inputs without attributes. */
const plain =
  (operation: string, ...inputs: readonly string[]) =>
  (writer: MilWriter, node: Node): void => {
    const named = inputs.map((input, i) => [input, writer.nameOf(node.inputs[i]!)]);
    writer.op(operation, writer.resultOf(node), Object.fromEntries(named));
  };

export const NODE_WRITERS: { readonly [K in OpKind]?: NodeWriter<K> } = {
  // In float32 whatever the rest is computed in, as coremltools does it: only what is normalized is rounded to halves.
  Preprocess: (writer, node) => {
    const { mean, std } = node.attrs;
    const result = writer.resultOf(node);
    const whole = (name: string): Result => ({ ...result, name: writer.fresh(name), type: 'fp32' });
    const perChannel = (name: string, values: readonly number[]): string =>
      writer.floats(`${node.name}_${name}`, Float32Array.from(values), 'fp32', [1, values.length, 1, 1]);
    const scale = perChannel(
      'scale',
      std.map((s) => 1 / (255 * s)),
    );
    const shift = perChannel(
      'shift',
      std.map((s, c) => -mean[c]! / s),
    );
    const scaled = writer.op('mul', whole(`${node.name}_scaled`), { x: writer.nameOf(node.inputs[0]!), y: scale });
    const normalized = result.type === 'fp32' ? result : whole(`${node.name}_normalized`);
    writer.op('add', normalized, { x: scaled, y: shift });
    if (normalized !== result) writer.cast(normalized.name, result);
  },
  Conv: (writer, node) => {
    const { strides, pads, dilations, group } = node.attrs;
    const [top, left, bottom, right] = pads;
    const attribute = (name: string, value: Value): string => writer.constant(`${node.name}_${name}`, value);
    writer.op('conv', writer.resultOf(node), {
      x: writer.nameOf(node.inputs[0]!),
      weight: writer.parameter(node, 'weight'),
      bias: writer.parameter(node, 'bias'),
      strides: attribute('strides', intValue(strides)),
      pad_type: attribute('pad_type', textValue('custom')),
      // MIL lists the two ends of an axis side by side.
      pad: attribute('pad', intValue([top, bottom, left, right])),
      dilations: attribute('dilations', intValue(dilations)),
      groups: attribute('groups', intValue(group)),
    });
  },
  BatchNormalization: (writer, node) => {
    writer.op('batch_norm', writer.resultOf(node), {
      x: writer.nameOf(node.inputs[0]!),
      mean: writer.parameter(node, 'running_mean'),
      variance: writer.parameter(node, 'running_var'),
      gamma: writer.parameter(node, 'weight'),
      beta: writer.parameter(node, 'bias'),
      epsilon: writer.floats(`${node.name}_epsilon`, [node.attrs.epsilon], writer.type, []),
    });
  },
  Gemm: (writer, node) => {
    writer.op('linear', writer.resultOf(node), {
      x: writer.nameOf(node.inputs[0]!),
      weight: writer.parameter(node, 'weight'),
      bias: writer.parameter(node, 'bias'),
    });
  },
  Relu: plain('relu', 'x'),
  Sigmoid: plain('sigmoid', 'x'),
  Add: plain('add', 'x', 'y'),
  Mul: plain('mul', 'x', 'y'),
  Softmax: (writer, node) => {
    const axis = writer.constant(`${node.name}_axis`, intValue(-1));
    writer.op('softmax', writer.resultOf(node), { x: writer.nameOf(node.inputs[0]!), axis });
  },
  GlobalAveragePool: (writer, node) => {
    writer.op('reduce_mean', writer.resultOf(node), {
      x: writer.nameOf(node.inputs[0]!),
      axes: writer.constant(`${node.name}_axes`, intValue([-2, -1])),
      keep_dims: writer.constant(`${node.name}_keep_dims`, boolValue(true)),
    });
  },
  Flatten: (writer, node) => {
    const shape = writer.constant(`${node.name}_shape`, intValue(writer.shapeOf(node.outputs[0]!)));
    writer.op('reshape', writer.resultOf(node), { x: writer.nameOf(node.inputs[0]!), shape });
  },
};

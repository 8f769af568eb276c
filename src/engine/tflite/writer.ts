/** What a TFLite model is made of while it is written: tensors, buffers and operators, in which order the axes of each value are, and which activations operators have taken in. */
import { UserError } from '../../core/errors.ts';
import { FLOAT16_MAX, toFloat16 } from '../../core/float16.ts';
import type { Shape, StateDict, Tensor } from '../../core/tensor.ts';
import type { Graph, Node, NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { fusedActivation } from './activations.ts';
import type { TableValue } from './flatbuffer.ts';
import { inNewOrder, type Order, orderOfRank, permuted, sameElements, sameOrder } from './order.ts';
import { ACTIVATION, OPERATORS, type Operator, TENSOR_TYPES, type TensorType } from './schema.ts';

export interface WriterOptions {
  readonly graph: Graph;
  readonly state: StateDict;
  readonly shapes: ReadonlyMap<string, Shape>;
  /** The shapes with another number of images: axes whose length is not the same are left open where a shape is written down. */
  readonly probes: ReadonlyMap<string, Shape>;
  /** Store weights as float16. */
  readonly half: boolean;
}

export interface Writer {
  /** Logical shape of a value of the graph: `[N, C, H, W]` or `[N, C]`. */
  shapeOf(value: string): Shape;
  /** The shape for a number of images that is like no other length, so that no axis of the batch passes for one of a single element. */
  probeOf(value: string): Shape;
  /** The shape in that order as operators are told it: −1 for the batch, so that the interpreter's can be another. */
  openShape(value: string, order: Order): readonly number[];
  /** The order of axes in which a value is stored; `[N, H, W, C]` for four of them unless its node chose another. */
  orderOf(value: string): Order;
  /** Index of the tensor of a value of the graph, as it is stored. */
  tensorOf(value: string): number;
  /** Index of a tensor of the value with its axes in that order, transposed where it is stored in another. */
  inOrder(value: string, order: Order): number;
  /** Index of the tensor that a node writes its value to, in an order of its choice. */
  result(value: string, order?: Order): number;
  /** Gives a value the tensor of another one, whose axes are then in that order. */
  share(value: string, tensor: number, order: Order): void;
  /** Declares a value that is the same in each run; it is stored in each order that is asked for. */
  fix(value: string, tensor: Tensor, isWeight: boolean): void;
  fixedOf(value: string): { readonly tensor: Tensor; readonly isWeight: boolean } | undefined;
  /** The node that makes a value; undefined for inputs of the graph. */
  producerOf(value: string): Node | undefined;
  /** A weight by its role in a node; `undefined` for an optional one that is missing. */
  weight(node: Node, role: string): Tensor | undefined;
  /** A tensor of a kernel or matrix, stored as the precision has it. */
  weights(name: string, shape: Shape, data: Float32Array): number;
  /** A tensor of numbers that stay as they are; biases too: they are few, and float16 would make a third of its error by them. */
  constant(name: string, shape: Shape, data: Float32Array | Int32Array): number;
  /** A tensor between operators. */
  intermediate(name: string, shape: Shape): number;
  /** The tensor of that key, made when it is first asked for. */
  once(key: string, make: () => number): number;
  /** A tensor's elements in another shape, one length of which may be −1, for what is left. */
  reshape(name: string, x: number, y: number, shape: readonly number[]): void;
  emit(operator: Operator, inputs: readonly number[], output: number | readonly number[], options?: TableValue): void;
  /** The only reader of a value, if it is of that kind; it is then not written by itself. */
  absorb<K extends OpKind>(value: string, kind: K): NodeOf<K> | undefined;
  /** Where an operator that can carry an activation (`fusedActivation`) writes to, and the activation if it is the only reader. */
  activated(value: string, order?: Order): { readonly output: number; readonly fused_activation_function: number };
}

export interface Written {
  readonly tensors: readonly TableValue[];
  readonly operators: readonly TableValue[];
  readonly buffers: TableValue[];
  readonly codes: readonly Operator[];
  /** Nodes that other operators have taken in. */
  readonly absorbed: ReadonlySet<Node>;
}

/** A writer, and what it has written so far. */
export function createWriter({ graph, state, shapes, probes, half }: WriterOptions): [Writer, Written] {
  const buffers: TableValue[] = [{}];
  const tensors: TableValue[] = [];
  const operators: TableValue[] = [];
  const codes: Operator[] = [];
  const absorbed = new Set<Node>();
  const made = new Map<string, number>();
  const orders = new Map<string, Order>();
  const fixed = new Map<string, { readonly tensor: Tensor; readonly isWeight: boolean }>();
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((value) => [value, node] as const)));
  const outputNames = new Map(Object.entries(graph.outputs).map(([name, value]) => [value, name]));
  const readers = readersOf(graph);

  const addTensor = (name: string, shape: Shape, type: TensorType, buffer = 0): number =>
    tensors.push({ shape: [...shape], type: TENSOR_TYPES[type], buffer, name, has_rank: true }) - 1;
  const addBuffer = (data: Float32Array | Int32Array | Uint16Array): number =>
    buffers.push({ data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }) - 1;

  const onlyReader = (value: string): Node | undefined => {
    const [reader, ...others] = readers.get(value) ?? [];
    return others.length > 0 || outputNames.has(value) ? undefined : reader;
  };

  const writer: Writer = {
    shapeOf: (value) => shapes.get(value)!,
    probeOf: (value) => probes.get(value)!,
    openShape(value, order) {
      const [shape, probe] = [writer.shapeOf(value), writer.probeOf(value)];
      const open = order.filter((axis) => shape[axis] !== probe[axis]);
      return order.map((axis) => (open.length === 1 && axis === open[0] ? -1 : shape[axis]!));
    },
    once(key, make) {
      const known = made.get(key) ?? make();
      made.set(key, known);
      return known;
    },
    orderOf: (value) => orders.get(value) ?? orderOfRank(writer.shapeOf(value).length),
    tensorOf: (value) => {
      if (fixed.has(value)) return writer.inOrder(value, writer.orderOf(value));
      return writer.once(value, () => {
        const isImage = graph.inputs.some(({ name, dtype }) => name === value && dtype === 'uint8');
        const shape = writer.shapeOf(value);
        const name = outputNames.get(value) ?? value;
        return isImage
          ? addTensor(name, shape, 'UINT8')
          : addTensor(name, permuted(shape, writer.orderOf(value)), 'FLOAT32');
      });
    },
    inOrder(value, order) {
      const constant = fixed.get(value);
      if (constant) {
        return writer.once(`${value} as ${order}`, () => {
          const { shape, data } = inNewOrder(constant.tensor, order);
          return constant.isWeight ? writer.weights(value, shape, data) : writer.constant(value, shape, data);
        });
      }
      const stored = writer.orderOf(value);
      if (sameOrder(stored, order)) return writer.tensorOf(value);
      return writer.once(`${value} as ${order}`, () => {
        const shape = permuted(writer.shapeOf(value), order);
        const to = writer.intermediate(`${value}.as${order.join('')}`, shape);
        if (sameElements(writer.probeOf(value), stored, order)) {
          writer.reshape(`${value}.as${order.join('')}`, writer.tensorOf(value), to, writer.openShape(value, order));
          return to;
        }
        const places = Int32Array.from(order, (axis) => stored.indexOf(axis));
        const perm = writer.constant(`${value}.as${order.join('')}.perm`, [order.length], places);
        writer.emit('TRANSPOSE', [writer.tensorOf(value), perm], to, {});
        return to;
      });
    },
    result(value, order) {
      if (order) orders.set(value, order);
      return writer.tensorOf(value);
    },
    share(value, tensor, order) {
      orders.set(value, order);
      made.set(value, tensor);
    },
    fix(value, tensor, isWeight) {
      fixed.set(value, { tensor, isWeight });
    },
    fixedOf: (value) => fixed.get(value),
    producerOf: (value) => producers.get(value),
    weight(node, role) {
      const name = node.params[role];
      const value = name === undefined ? undefined : state.get(name);
      if (name !== undefined && !value) throw new TypeError(`the state lacks the parameter "${name}"`);
      return value;
    },
    weights(name, shape, data) {
      if (!half) return writer.constant(name, shape, data);
      if (data.some((value) => Math.abs(value) > FLOAT16_MAX))
        throw new UserError(
          `"${name}" has values beyond ${FLOAT16_MAX}, the largest that float16 holds.`,
          'Export in fp32.',
        );
      // As Google's quantizer does it (ai-edge-quantizer): runtimes unpack the weights when they load, or compute in float16.
      const stored = addTensor(`${name}.float16`, shape, 'FLOAT16', addBuffer(toFloat16(data)));
      const float = addTensor(name, shape, 'FLOAT32');
      writer.emit('DEQUANTIZE', [stored], float, {});
      return float;
    },
    constant: (name, shape, data) =>
      addTensor(name, shape, data instanceof Int32Array ? 'INT32' : 'FLOAT32', addBuffer(data)),
    intermediate: (name, shape) => addTensor(name, shape, 'FLOAT32'),
    reshape(name, x, y, shape) {
      const target = writer.constant(`${name}.shape`, [shape.length], Int32Array.from(shape));
      writer.emit('RESHAPE', [x, target], y, { new_shape: [...shape] });
    },
    emit(operator, inputs, output, fields) {
      if (!codes.includes(operator)) codes.push(operator);
      const { options: table } = OPERATORS[operator];
      operators.push({
        opcode_index: codes.indexOf(operator),
        inputs: [...inputs],
        outputs: typeof output === 'number' ? [output] : [...output],
        ...(table ? { builtin_options: { table, value: fields ?? {} } } : {}),
      });
    },
    absorb<K extends OpKind>(value: string, kind: K) {
      const reader = onlyReader(value);
      if (reader?.kind !== kind) return undefined;
      absorbed.add(reader);
      return reader as Node & NodeOf<K>;
    },
    activated(value, order) {
      const reader = onlyReader(value);
      const activation = reader && fusedActivation(reader);
      if (!activation) return { output: writer.result(value, order), fused_activation_function: ACTIVATION.NONE };
      absorbed.add(reader);
      const output = writer.result(reader.outputs[0]!, order);
      return { output, fused_activation_function: ACTIVATION[activation] };
    },
  };
  return [writer, { tensors, operators, buffers, codes, absorbed }];
}

/** The nodes that read each value. */
function readersOf(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const value of new Set(node.inputs)) readers.set(value, [...(readers.get(value) ?? []), node]);
  return readers;
}

/**
 * Fused inference graphs of the IR as TensorFlow Lite models: NHWC throughout, no Transpose, ReLU fused into the operator before it.
 * A table of writers by op kind; what is not in it is refused by name.
 */
import type { Shape, StateDict, Tensor } from '../../core/tensor.ts';
import { VERSION } from '../../core/version.ts';
import { bind, type Dims } from '../../graph/bind.ts';
import type { Graph, Node, NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { encodeTable, type TableValue } from './flatbuffer.ts';
import { ACTIVATION, OPERATORS, type Operator, PADDING, TENSOR_TYPES, type TensorType, TFLITE } from './schema.ts';

export interface ToTfliteOptions {
  /** Sizes of named dimensions; all must be given (`{ N: 1, H: 224, W: 224 }`): TFLite files have fixed shapes. */
  readonly dims: Dims;
  /** Text stored in the file by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

interface Writer {
  /** Index of the tensor of a value of the graph. */
  tensorOf(value: string): number;
  /** Logical shape of a value: `[N, C, H, W]` or `[N, C]`. */
  shapeOf(value: string): Shape;
  /** A weight by name, `undefined` for a missing optional one. */
  weight(name: string | undefined): Tensor | undefined;
  constant(name: string, shape: Shape, data: Float32Array | Int32Array): number;
  /** A tensor between operators. */
  intermediate(name: string, shape: Shape, type?: TensorType): number;
  emit(operator: Operator, inputs: readonly number[], output: number, options?: TableValue): void;
  /** RELU if the node's only reader is a Relu; the Relu is then left out. */
  activation(node: Node): number;
}

/** `[N, C, H, W]` → `[N, H, W, C]`; matrices stay. */
const nhwc = (shape: Shape): Shape => (shape.length === 4 ? [shape[0]!, shape[2]!, shape[3]!, shape[1]!] : shape);

/** `[O, I, kh, kw]` → `[O, kh, kw, I]`, or for depthwise kernels `[C, 1, kh, kw]` → `[1, kh, kw, C]`. */
function filter({ shape, data }: Tensor, depthwise: boolean): { shape: Shape; data: Float32Array } {
  const [outputs, inputs, kh, kw] = shape as [number, number, number, number];
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++)
          moved[depthwise ? (y * kw + x) * outputs + o : ((o * kh + y) * kw + x) * inputs + i] = data[at++]!;
  return { shape: depthwise ? [1, kh, kw, outputs] : [outputs, kh, kw, inputs], data: moved };
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

function writeConv(writer: Writer, node: NodeOf<'Conv'>): void {
  const { kernel_shape: kernel, strides, pads, dilations, group } = node.attrs;
  const [, channels, H, W] = writer.shapeOf(node.inputs[0]!) as [number, number, number, number];
  const outputs = writer.shapeOf(node.outputs[0]!)[1]!;
  const depthwise = group > 1;
  if (depthwise && (group !== channels || outputs !== channels))
    throw new TypeError(`node "${node.name}": TFLite has dense and depthwise convolutions, not ${group} groups`);
  const [top, left, bottom, right] = pads;
  let x = writer.tensorOf(node.inputs[0]!);
  const same =
    isSame(H, kernel[0], strides[0], dilations[0], top, bottom) &&
    isSame(W, kernel[1], strides[1], dilations[1], left, right);
  const padded = pads.some((pad) => pad > 0);
  if (padded && !same) {
    const paddings = Int32Array.of(0, 0, top, bottom, left, right, 0, 0);
    const shape = [writer.shapeOf(node.inputs[0]!)[0]!, H + top + bottom, W + left + right, channels];
    const wider = writer.intermediate(`${node.name}.pad`, shape);
    writer.emit('PAD', [x, writer.constant(`${node.name}.paddings`, [4, 2], paddings)], wider, {});
    x = wider;
  }
  const moved = filter(writer.weight(node.params.weight)!, depthwise);
  const w = writer.constant(node.params.weight!, moved.shape, moved.data);
  const bias = writer.weight(node.params.bias);
  const b = writer.constant(`${node.name}.bias`, [outputs], Float32Array.from(bias?.data ?? new Float32Array(outputs)));
  const options = {
    padding: padded && same ? PADDING.SAME : PADDING.VALID,
    stride_h: strides[0],
    stride_w: strides[1],
    dilation_h_factor: dilations[0],
    dilation_w_factor: dilations[1],
    fused_activation_function: writer.activation(node),
    ...(depthwise ? { depth_multiplier: 1 } : {}),
  };
  writer.emit(depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', [x, w, b], writer.tensorOf(node.outputs[0]!), options);
}

const plain =
  (operator: Operator, options?: TableValue) =>
  (writer: Writer, node: Node): void =>
    writer.emit(operator, node.inputs.map(writer.tensorOf), writer.tensorOf(node.outputs[0]!), options);

type NodeWriter<K extends OpKind> = (writer: Writer, node: NodeOf<K>) => void;

const NODE_WRITERS: { readonly [K in OpKind]?: NodeWriter<K> } = {
  Preprocess: (writer, node) => {
    const { mean, std } = node.attrs;
    const shape = nhwc(writer.shapeOf(node.outputs[0]!));
    const float = writer.intermediate(`${node.name}.float`, shape);
    const types = { in_data_type: TENSOR_TYPES.UINT8, out_data_type: TENSOR_TYPES.FLOAT32 };
    writer.emit('CAST', [writer.tensorOf(node.inputs[0]!)], float, types);
    const channels = [std.length];
    const scale = writer.constant(
      `${node.name}.scale`,
      channels,
      Float32Array.from(std, (s) => 1 / (255 * s)),
    );
    const scaled = writer.intermediate(`${node.name}.scaled`, shape);
    writer.emit('MUL', [float, scale], scaled, { fused_activation_function: ACTIVATION.NONE });
    const shift = writer.constant(
      `${node.name}.shift`,
      channels,
      Float32Array.from(std, (s, i) => -mean[i]! / s),
    );
    writer.emit('ADD', [scaled, shift], writer.tensorOf(node.outputs[0]!), {
      fused_activation_function: ACTIVATION.NONE,
    });
  },
  Conv: writeConv,
  Gemm: (writer, node) => {
    const { shape, data } = writer.weight(node.params.weight)!;
    const w = writer.constant(node.params.weight!, shape, Float32Array.from(data));
    const bias = writer.weight(node.params.bias)?.data ?? new Float32Array(shape[0]!);
    const b = writer.constant(`${node.name}.bias`, [shape[0]!], Float32Array.from(bias));
    writer.emit('FULLY_CONNECTED', [writer.tensorOf(node.inputs[0]!), w, b], writer.tensorOf(node.outputs[0]!), {
      fused_activation_function: writer.activation(node),
    });
  },
  Relu: plain('RELU'),
  Sigmoid: plain('LOGISTIC'),
  Softmax: plain('SOFTMAX', { beta: 1 }),
  Add: (writer, node) => plain('ADD', { fused_activation_function: writer.activation(node) })(writer, node),
  Mul: (writer, node) => plain('MUL', { fused_activation_function: writer.activation(node) })(writer, node),
  GlobalAveragePool: (writer, node) => {
    const axes = writer.constant(`${node.name}.axes`, [2], Int32Array.of(1, 2));
    const x = writer.tensorOf(node.inputs[0]!);
    writer.emit('MEAN', [x, axes], writer.tensorOf(node.outputs[0]!), { keep_dims: true });
  },
  Flatten: (writer, node) => {
    const shape = writer.shapeOf(node.outputs[0]!);
    const [, , h, w] = writer.shapeOf(node.inputs[0]!);
    if (h! * w! > 1) throw new TypeError(`node "${node.name}": only [N, C, 1, 1] is flattened in a TFLite file`);
    const target = writer.constant(`${node.name}.shape`, [2], Int32Array.from(shape));
    const x = writer.tensorOf(node.inputs[0]!);
    writer.emit('RESHAPE', [x, target], writer.tensorOf(node.outputs[0]!), { new_shape: [...shape] });
  },
};

/** Kinds whose operator can carry a ReLU. */
const FUSES: readonly OpKind[] = ['Conv', 'Gemm', 'Add', 'Mul'];

/**
 * Writes a fused graph and its parameters. Image inputs and outputs are NHWC; a uint8 image goes in where the graph begins with
 * Preprocess. Throws a TypeError naming a node that can't be written, or a parameter that the state lacks.
 */
export async function toTflite(graph: Graph, state: StateDict, options: ToTfliteOptions): Promise<Uint8Array> {
  const { shapes } = bind(graph, options.dims);
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const value of new Set(node.inputs)) readers.set(value, [...(readers.get(value) ?? []), node]);
  const outputs = new Set(Object.values(graph.outputs));
  const buffers: TableValue[] = [{}];
  const tensors: TableValue[] = [];
  const operators: TableValue[] = [];
  const codes: Operator[] = [];
  const indexOf = new Map<string, number>();

  const addTensor = (name: string, shape: Shape, type: TensorType, buffer = 0): number =>
    tensors.push({ shape: [...shape], type: TENSOR_TYPES[type], buffer, name, has_rank: true }) - 1;
  const bytesOf = (data: Float32Array | Int32Array): Uint8Array =>
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  /** The Relu that is fused into a node, if there is one. */
  const fused = (node: Node): Node | undefined => {
    const value = node.outputs[0]!;
    const [reader, ...others] = readers.get(value) ?? [];
    const alone = others.length === 0 && !outputs.has(value);
    return FUSES.includes(node.kind) && alone && reader?.kind === 'Relu' ? reader : undefined;
  };

  const writer: Writer = {
    tensorOf(value) {
      const known = indexOf.get(value);
      if (known !== undefined) return known;
      const dtype = graph.inputs.find(({ name }) => name === value)?.dtype;
      const raw = dtype === 'uint8' ? shapes.get(value)! : nhwc(shapes.get(value)!);
      const index = addTensor(value, raw, dtype === 'uint8' ? 'UINT8' : 'FLOAT32');
      indexOf.set(value, index);
      return index;
    },
    shapeOf: (value) => shapes.get(value)!,
    weight(name) {
      if (name === undefined) return undefined;
      const value = state.get(name);
      if (!value) throw new TypeError(`the state lacks the parameter "${name}"`);
      return value;
    },
    constant(name, shape, data) {
      const buffer = buffers.push({ data: bytesOf(data) }) - 1;
      return addTensor(name, shape, data instanceof Int32Array ? 'INT32' : 'FLOAT32', buffer);
    },
    intermediate: (name, shape, type = 'FLOAT32') => addTensor(name, shape, type),
    emit(operator, inputs, output, fields) {
      if (!codes.includes(operator)) codes.push(operator);
      const { options: table } = OPERATORS[operator];
      operators.push({
        opcode_index: codes.indexOf(operator),
        inputs: [...inputs],
        outputs: [output],
        ...(table ? { builtin_options: { table, value: fields ?? {} } } : {}),
      });
    },
    activation: (node) => (fused(node) ? ACTIVATION.RELU : ACTIVATION.NONE),
  };

  const inputs = graph.inputs.map(({ name }) => writer.tensorOf(name));
  const skipped = new Set<Node>();
  for (const node of graph.nodes) {
    if (skipped.has(node)) continue;
    const write = NODE_WRITERS[node.kind] as ((writer: Writer, node: Node) => void) | undefined;
    if (!write) throw new TypeError(`node "${node.name}" (${node.kind}) can't be written as TFLite`);
    const relu = fused(node);
    if (relu) {
      // The operator writes what the Relu would.
      indexOf.set(node.outputs[0]!, writer.tensorOf(relu.outputs[0]!));
      skipped.add(relu);
    }
    write(writer, node);
  }
  const outputEntries = Object.entries(graph.outputs);
  const named = (name: string, tensor: number): TableValue => ({ name, tensor_index: tensor });
  const metadata = Object.entries(options.metadata ?? {}).map(([name, text]): TableValue => {
    const buffer = buffers.push({ data: new TextEncoder().encode(text) }) - 1;
    return { name, buffer };
  });
  const model: TableValue = {
    version: 3,
    operator_codes: codes.map((name) => {
      const { code, version } = OPERATORS[name];
      return { deprecated_builtin_code: Math.min(code, 127), builtin_code: code, version };
    }),
    subgraphs: [
      {
        tensors,
        inputs,
        outputs: outputEntries.map(([, value]) => writer.tensorOf(value)),
        operators,
        name: graph.name,
      },
    ],
    description: `mobileone ${VERSION}`,
    buffers,
    ...(metadata.length ? { metadata } : {}),
    signature_defs: [
      {
        inputs: graph.inputs.map(({ name }, i) => named(name, inputs[i]!)),
        outputs: outputEntries.map(([name, value]) => named(name, writer.tensorOf(value))),
        signature_key: 'serving_default',
        subgraph_index: 0,
      },
    ],
  };
  return await encodeTable(TFLITE, model, 2 ** 16);
}

/** Inference graphs of the IR as TensorFlow Lite models: images NHWC, transposed only where an operator can't do without, activations fused into the operator before them. */
import type { Shape, StateDict } from '../../core/tensor.ts';
import { VERSION } from '../../core/version.ts';
import { bind, type Dims } from '../../graph/bind.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { expandBranches } from '../../graph/passes/branches.ts';
import type { FileKind } from '../file-kinds.ts';
import { encodeTable, type TableValue } from './flatbuffer.ts';
import { NODE_WRITERS } from './nodes.ts';
import { orderOfRank, permuted } from './order.ts';
import { ACTIVATION, MODEL_SCHEMA, OPERATORS } from './schema.ts';
import { createWriter, type Writer } from './writer.ts';

const ADVICE = 'write the graph of the network without its training step, or run this one on the wasm engine';

export interface ToTfliteOptions {
  /** Sizes of named dimensions; all must be given (`{ N: 1, H: 224, W: 224 }`): TFLite files have fixed shapes. */
  readonly dims: Dims;
  /** How weights are stored; `fp16`: all but biases as float16, which runtimes make float32 when they load. Default `fp32`. */
  readonly precision?: 'fp32' | 'fp16';
  /** Text or bytes stored in the file by key. */
  readonly metadata?: Readonly<Record<string, string | Uint8Array>>;
}

/**
 * Writes a graph and its parameters. Image inputs and outputs are NHWC; a uint8 image goes in where the graph begins with
 * Preprocess; a RepConv in evaluation mode is written branch by branch, BatchNorm folded into its convolution as
 * TensorFlow's converter does. Throws a TypeError naming a node that can't be written, or a parameter that the state
 * lacks, and a UserError for weights that float16 can't hold.
 */
export async function toTflite(graph: Graph, state: StateDict, options: ToTfliteOptions): Promise<Uint8Array> {
  const { dims, precision = 'fp32', metadata = {} } = options;
  const expanded = graph.nodes.some(({ kind }) => kind === 'RepConv') ? expandBranches(graph) : graph;
  const { shapes } = bind(expanded, dims);
  const probes = probeShapes(expanded, dims) ?? shapes;
  const [writer, written] = createWriter({ graph: expanded, state, shapes, probes, half: precision === 'fp16' });
  const inputs = expanded.inputs.map(({ name }) => writer.tensorOf(name));
  for (const node of expanded.nodes) {
    if (written.absorbed.has(node)) continue;
    const write = NODE_WRITERS[node.kind as FileKind] as ((writer: Writer, node: Node) => void) | undefined;
    if (!write)
      throw new TypeError(
        `node "${node.name}" (${node.kind}) can't be written as TFLite, which has inference only: ${ADVICE}`,
      );
    write(writer, node);
  }
  const outputs = new Set<number>();
  for (const [name, value] of Object.entries(expanded.outputs)) {
    const shape = writer.shapeOf(value);
    const order = orderOfRank(shape.length);
    const tensor = writer.inOrder(value, order);
    // Each input and output is a tensor of its own, which a run writes.
    const isTaken = inputs.includes(tensor) || outputs.has(tensor) || writer.fixedOf(value);
    const own = isTaken ? writer.intermediate(name, permuted(shape, order)) : tensor;
    const one = (): number => writer.constant(`${name}.one`, [], Float32Array.of(1));
    if (isTaken) writer.emit('MUL', [tensor, one()], own, { fused_activation_function: ACTIVATION.NONE });
    outputs.add(own);
  }
  const { tensors, operators, buffers, codes } = written;
  const named = (names: readonly string[], tensors: readonly number[]): TableValue[] =>
    names.map((name, i) => ({ name, tensor_index: tensors[i]! }));
  const model: TableValue = {
    version: 3,
    operator_codes: codes.map((name) => {
      const { code, version } = OPERATORS[name];
      return { deprecated_builtin_code: Math.min(code, 127), builtin_code: code, version };
    }),
    subgraphs: [{ tensors, inputs, outputs: [...outputs], operators, name: graph.name }],
    description: `mobileone ${VERSION}`,
    metadata: Object.entries(metadata).map(([name, value]) => {
      const data = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      return { name, buffer: buffers.push({ data }) - 1 };
    }),
    buffers,
    signature_defs: [
      {
        inputs: named(
          expanded.inputs.map(({ name }) => name),
          inputs,
        ),
        outputs: named(Object.keys(expanded.outputs), [...outputs]),
        signature_key: 'serving_default',
        subgraph_index: 0,
      },
    ],
  };
  return await encodeTable(MODEL_SCHEMA, model, 2 ** 16);
}

/** A number of images that is the length of no axis, nor divides any. */
const PROBE = 1_000_003;

/** The shapes with that many images; undefined if the graph is made for one number of them. */
function probeShapes(graph: Graph, dims: Dims): ReadonlyMap<string, Shape> | undefined {
  const batch = graph.inputs[0]?.shape[0];
  if (typeof batch !== 'string') return undefined;
  try {
    return bind(graph, { ...dims, [batch]: PROBE }).shapes;
  } catch {
    return undefined;
  }
}

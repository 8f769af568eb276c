/** Inference graphs of the IR as ONNX models. */
import { UserError } from '../../core/errors.ts';
import { FLOAT16_MAX, toFloat16ByGroups } from '../../core/float16.ts';
import type { Shape, StateDict, Tensor } from '../../core/tensor.ts';
import { VERSION } from '../../core/version.ts';
import { bind, type Dims } from '../../graph/bind.ts';
import type { Graph, NodeOf } from '../../graph/graph.ts';
import { expandBranches } from '../../graph/passes/branches.ts';
import type { FileKind } from '../file-kinds.ts';
import { encodeOnnx } from './encode.ts';
import type { OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from './model.ts';
import { castNode, type ImageLayout, NODE_WRITERS, type NodeContext } from './nodes.ts';

export type { ImageLayout } from './nodes.ts';

export interface ToOnnxOptions {
  /** Sizes of named dimensions, e.g. `{ H: 224, W: 224 }`; those not given stay open. */
  readonly dims?: Dims;
  /** Leave the batch `N` open whatever `dims` says; default true. */
  readonly dynamicBatch?: boolean;
  /** Layout of the uint8 image where the graph begins with Preprocess; default `nhwc`. */
  readonly layout?: ImageLayout;
  /** `float16`: weights and values of half precision between inputs and outputs, which stay as they are; default `float32`. */
  readonly dtype?: 'float32' | 'float16';
  /** Text stored in the file by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes a graph and its parameters as an ONNX file (opset 17, IR 10). Values and weights keep their names, an output
 * has the name it has in `graph.outputs`; a RepConv in evaluation mode is written branch by branch.
 * Throws a TypeError naming a node that ONNX export doesn't know, or a parameter that the state lacks, and a UserError
 * for a weight that float16 can't hold.
 */
export async function toOnnx(graph: Graph, state: StateDict, options: ToOnnxOptions = {}): Promise<Uint8Array> {
  return await encodeOnnx(buildOnnx(graph, state, options), VERSION);
}

/** Like `toOnnx`, but returns the model as plain data. */
export function buildOnnx(graph: Graph, state: StateDict, options: ToOnnxOptions = {}): OnnxModel {
  const { dynamicBatch = true, layout = 'nhwc', metadata = {} } = options;
  const half = options.dtype === 'float16';
  const { N, ...sizes } = options.dims ?? {};
  const dims: Dims = dynamicBatch || N === undefined ? sizes : { N, ...sizes };
  const expanded = graph.nodes.some(({ kind }) => kind === 'RepConv') ? expandBranches(graph) : graph;
  const initializers = new Map<string, OnnxTensor>();
  const dimsOf = dimsOfValues(expanded, dims);
  const context: NodeContext = {
    layout,
    half,
    dimsOf,
    constant(name, value) {
      initializers.set(name, value);
      return name;
    },
  };

  const nodes = expanded.nodes.flatMap((node) => {
    const write = NODE_WRITERS[node.kind as FileKind] as
      | ((node: NodeOf<FileKind>, context: NodeContext) => OnnxNode[])
      | undefined;
    if (!write) throw new TypeError(`node "${node.name}" (${node.kind}) can't be written as ONNX`);
    // Statistics may be beyond float16 on either side; ONNX lets those of a float16 BatchNormalization be float32.
    const halve = half && node.kind !== 'BatchNormalization';
    for (const name of Object.values(node.params)) {
      const value = state.get(name);
      if (!value) throw new TypeError(`the state lacks the parameter "${name}"`);
      initializers.set(name, halve ? halved(name, value) : value);
    }
    return write(node as NodeOf<FileKind>, context);
  });
  const inputCasts = half ? halfInputs(expanded) : [];
  const { rename, copies } = outputNames(expanded, half);
  const cast = new Map(inputCasts.map(({ inputs, outputs }) => [inputs[0]!, outputs[0]!]));
  const renamed = nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => cast.get(name) ?? rename(name)),
    outputs: node.outputs.map(rename),
  }));
  return {
    name: graph.name,
    inputs: inputValues(expanded, dims, layout),
    outputs: Object.entries(expanded.outputs).map(([name, value]) => ({
      name,
      dtype: 'float32',
      shape: dimsOf(value),
    })),
    nodes: [...inputCasts, ...renamed, ...copies],
    initializers,
    metadata,
  };
}

/** A weight in half precision. */
function halved(name: string, { shape, data }: Tensor): OnnxTensor {
  const large = data.find((value) => Math.abs(value) > FLOAT16_MAX);
  if (large !== undefined)
    throw new UserError(
      `The weight "${name}" holds ${large.toPrecision(3)}, and float16 ends at ${FLOAT16_MAX}.`,
      'Export in fp32.',
    );
  const taps = shape.length === 4 ? shape[2]! * shape[3]! : 1;
  return { shape, data: toFloat16ByGroups(Float32Array.from(data), taps) };
}

/** float32 inputs are taken as they are, and become float16 inside. */
function halfInputs(graph: Graph): OnnxNode[] {
  return graph.inputs
    .filter(({ dtype }) => dtype === 'float32')
    .map(({ name }) => castNode(`${name}.half`, name, `${name}.half`, 'float16'));
}

/**
 * An output's value takes the output's name. Where that can't be (an input, a value with two names, a name that is
 * taken) an Identity node makes it; of a float16 graph a Cast, since outputs are float32.
 */
function outputNames(graph: Graph, half: boolean): { rename: (value: string) => string; copies: OnnxNode[] } {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const taken = new Set([...inputs, ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const names = new Map<string, string>();
  const copies: OnnxNode[] = [];
  const rename = (value: string): string => names.get(value) ?? value;
  for (const [output, value] of Object.entries(graph.outputs)) {
    const inside = half && !inputs.has(value);
    if (output === value) {
      if (!inside) continue;
      names.set(value, `${value}.half`);
    } else {
      if (!inside && !inputs.has(value) && !names.has(value) && !taken.has(output)) {
        names.set(value, output);
        continue;
      }
      if (taken.has(output)) throw new TypeError(`output "${output}": another value has that name`);
    }
    copies.push(
      inside
        ? castNode(`${output}.float`, value, output, 'float32')
        : { type: 'Identity', name: output, inputs: [value], outputs: [output], attributes: {} },
    );
  }
  return { rename, copies: copies.map((copy) => ({ ...copy, inputs: copy.inputs.map(rename) })) };
}

function inputValues(graph: Graph, dims: Dims, layout: ImageLayout): OnnxValue[] {
  const images = new Set(graph.nodes.filter(({ kind }) => kind === 'Preprocess').map(({ inputs }) => inputs[0]!));
  return graph.inputs.map(({ name, shape, dtype }) => {
    const bound = shape.map((dim) => (typeof dim === 'string' ? (dims[dim] ?? dim) : dim));
    const [n, h, w, c] = bound;
    return { name, dtype, shape: layout === 'nchw' && images.has(name) ? [n!, c!, h!, w!] : bound };
  });
}

/** Open dimensions are tried with these times 64, which strides and blocks divide, and of which none is a part of another. */
const PROBES = [7, 11, 13, 17];

/** Shapes of all values: bound at two sizes of the open dimensions, what differs is open too. */
function dimsOfValues(graph: Graph, dims: Dims): (value: string) => readonly (number | string)[] {
  const named = graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === 'string'));
  const open = [...new Set(named)].filter((dim) => dims[dim] === undefined);
  const probe = (factor: number): ReadonlyMap<string, Shape> =>
    bind(graph, { ...Object.fromEntries(open.map((dim, i) => [dim, factor * 64 * PROBES[i]!])), ...dims }).shapes;
  const [small, large] = [probe(1), probe(2)];
  return (value) => {
    const other = large.get(value)!;
    return small.get(value)!.map((size, axis) => {
      if (size === other[axis]) return size;
      return open.find((_, i) => size === 64 * PROBES[i]! && other[axis] === 2 * size) ?? '';
    });
  };
}

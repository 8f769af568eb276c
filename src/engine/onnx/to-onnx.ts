/** Inference graphs of the IR as ONNX models. */
import type { Shape, StateDict, Tensor } from '../../core/tensor.ts';
import { VERSION } from '../../core/version.ts';
import { bind, type Dims } from '../../graph/bind.ts';
import type { Graph, NodeOf } from '../../graph/graph.ts';
import { expandBranches } from '../../graph/passes/branches.ts';
import { encodeOnnx } from './encode.ts';
import type { OnnxModel, OnnxNode, OnnxValue } from './model.ts';
import { type ImageLayout, NODE_WRITERS, type NodeContext, type OnnxKind } from './nodes.ts';

export type { ImageLayout } from './nodes.ts';

export interface ToOnnxOptions {
  /** Sizes of named dimensions, e.g. `{ H: 224, W: 224 }`; those not given stay open. */
  readonly dims?: Dims;
  /** Leave the batch `N` open whatever `dims` says; default true. */
  readonly dynamicBatch?: boolean;
  /** Layout of the uint8 image where the graph begins with Preprocess; default `nhwc`. */
  readonly layout?: ImageLayout;
  /** Text stored in the file by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes a graph and its parameters as an ONNX file (opset 17, IR 10). Values and weights keep their names, an output
 * has the name it has in `graph.outputs`; a RepConv in evaluation mode is written branch by branch.
 * Throws a TypeError naming a node that ONNX export doesn't know, or a parameter that the state lacks.
 */
export async function toOnnx(graph: Graph, state: StateDict, options: ToOnnxOptions = {}): Promise<Uint8Array> {
  return await encodeOnnx(buildOnnx(graph, state, options), VERSION);
}

/** Like `toOnnx`, but returns the model as plain data. */
export function buildOnnx(graph: Graph, state: StateDict, options: ToOnnxOptions = {}): OnnxModel {
  const { dynamicBatch = true, layout = 'nhwc', metadata = {} } = options;
  const { N, ...sizes } = options.dims ?? {};
  const dims: Dims = dynamicBatch || N === undefined ? sizes : { N, ...sizes };
  const expanded = graph.nodes.some(({ kind }) => kind === 'RepConv') ? expandBranches(graph) : graph;
  const initializers = new Map<string, Tensor>();
  const dimsOf = dimsOfValues(expanded, dims);
  const context: NodeContext = {
    layout,
    dimsOf,
    constant(name, value) {
      initializers.set(name, value);
      return name;
    },
  };

  const nodes = expanded.nodes.flatMap((node) => {
    const write = NODE_WRITERS[node.kind as OnnxKind] as
      | ((node: NodeOf<OnnxKind>, context: NodeContext) => OnnxNode[])
      | undefined;
    if (!write) throw new TypeError(`node "${node.name}" (${node.kind}) can't be written as ONNX`);
    for (const name of Object.values(node.params)) {
      const value = state.get(name);
      if (!value) throw new TypeError(`the state lacks the parameter "${name}"`);
      initializers.set(name, value);
    }
    return write(node as NodeOf<OnnxKind>, context);
  });
  const { rename, copies } = outputNames(expanded);
  const renamed = nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
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
    nodes: [...renamed, ...copies],
    initializers,
    metadata,
  };
}

/**
 * An output's value takes the output's name. Where that can't be (an input, a value with two names, a name that is
 * taken) an Identity node makes it.
 */
function outputNames(graph: Graph): { rename: (value: string) => string; copies: OnnxNode[] } {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const taken = new Set([...inputs, ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const names = new Map<string, string>();
  const copies: OnnxNode[] = [];
  const rename = (value: string): string => names.get(value) ?? value;
  for (const [output, value] of Object.entries(graph.outputs)) {
    if (output === value) continue;
    if (!inputs.has(value) && !names.has(value) && !taken.has(output)) {
      names.set(value, output);
      continue;
    }
    if (taken.has(output)) throw new TypeError(`output "${output}": another value has that name`);
    copies.push({ type: 'Identity', name: output, inputs: [value], outputs: [output], attributes: {} });
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

/** Shapes of all values: bound at two sizes of the open dimensions, what differs is open too. */
function dimsOfValues(graph: Graph, dims: Dims): (value: string) => readonly (number | string)[] {
  const named = graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === 'string'));
  const open = [...new Set(named)].filter((dim) => dims[dim] === undefined);
  const probe = (factor: number): ReadonlyMap<string, Shape> =>
    bind(graph, { ...Object.fromEntries(open.map((dim, i) => [dim, factor * (64 + 2 * i)])), ...dims }).shapes;
  const [small, large] = [probe(1), probe(2)];
  return (value) => {
    const other = large.get(value)!;
    return small.get(value)!.map((size, axis) => {
      if (size === other[axis]) return size;
      return open.find((_, i) => size === 64 + 2 * i && other[axis] === 2 * size) ?? '';
    });
  };
}

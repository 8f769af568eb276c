/** The layers of an inference graph, as things whose time can be measured apart and looked up by shape. */
import { type Shape, sizeOf } from '../../core/tensor.ts';
import { bind, type Dims, ruleOf } from '../../graph/bind.ts';
import { freezeGraph } from '../../graph/build.ts';
import type { Graph, Node, ParamSpec, ValueSpec } from '../../graph/graph.ts';

/** A node with the Relu that engines fuse into it, at its shapes: equal keys take equal time on one device. */
export interface Layer {
  /** E.g. `Conv 3x3 s2 g48 [1,48,112,112] → [1,48,56,56] Relu`. */
  readonly key: string;
  /** Layers of one kind are alike enough to estimate one by others: `Conv 3x3 depthwise s2`. */
  readonly kind: string;
  readonly macs: number;
  /** Activations read and written and weights read, fp32. */
  readonly bytes: number;
  readonly nodes: readonly [Node, ...Node[]];
  /** Shapes of what the first node reads. */
  readonly inputs: readonly ValueSpec[];
  readonly params: Readonly<Record<string, ParamSpec>>;
}

/** What was measured of a layer, in milliseconds. */
export interface LayerTime {
  readonly layer: Pick<Layer, 'key' | 'kind' | 'macs' | 'bytes'>;
  readonly mean: number;
  readonly interval: readonly [number, number];
}

/** What the time of most layers follows: multiply-adds, and bytes where there are none. */
export const workOf = ({ macs, bytes }: Pick<Layer, 'macs' | 'bytes'>): number => Math.max(macs, bytes / 4);

function attributes(node: Node): string {
  if (node.kind === 'Conv') {
    const { kernel_shape, strides, pads, dilations, group } = node.attrs;
    const same = pads.every((pad) => pad === Math.floor(((kernel_shape[0] - 1) * dilations[0]) / 2));
    const parts = [kernel_shape.join('x'), `s${strides.join('x')}`];
    if (!same) parts.push(`p${pads.join(',')}`);
    if (dilations.some((d) => d > 1)) parts.push(`d${dilations.join('x')}`);
    if (group > 1) parts.push(`g${group}`);
    return ` ${parts.join(' ')}`;
  }
  // Mean and deviation of the images, or what a constant is, change nothing about the time.
  if (node.kind === 'Preprocess' || node.kind === 'Constant') return '';
  const entries = Object.entries(node.attrs).filter(([, value]) => value !== undefined);
  return entries.map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join('');
}

function kindOf(node: Node, channels: number): string {
  if (node.kind !== 'Conv') return node.kind;
  const { kernel_shape, strides, group } = node.attrs;
  const groups = group === 1 ? '' : group === channels ? ' depthwise' : ' grouped';
  return `Conv ${kernel_shape.join('x')}${groups} s${strides[0]}`;
}

const shapeText = (shape: Shape): string => `[${shape.join(',')}]`;

/** The layers of a graph in their order, equal ones as often as they occur. A RepConv must have been fused or expanded before. */
export function layersOf(graph: Graph, dims: Dims): Layer[] {
  const { shapes } = bind(graph, dims);
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const value of node.inputs) readers.set(value, [...(readers.get(value) ?? []), node]);
  const outputs = new Set(Object.values(graph.outputs));
  const dtypes = new Map(graph.inputs.map(({ name, dtype }) => [name, dtype]));
  const taken = new Set<Node>();
  return graph.nodes.flatMap((node): Layer[] => {
    if (taken.has(node)) return [];
    const value = node.outputs[0]!;
    const [reader, ...others] = readers.get(value) ?? [];
    const fuses = ['Conv', 'Gemm', 'BatchNormalization', 'Add'].includes(node.kind);
    const relu = fuses && reader?.kind === 'Relu' && others.length === 0 && !outputs.has(value) ? reader : undefined;
    if (relu) taken.add(relu);
    const read = [...new Set(node.inputs)];
    const inputShapes = node.inputs.map((name) => shapes.get(name)!);
    const outputShapes = node.outputs.map((name) => shapes.get(name)!);
    const params = Object.fromEntries(Object.values(node.params).map((name) => [name, graph.params[name]!]));
    const sizes = [...inputShapes, ...outputShapes, ...Object.values(params).map(({ shape }) => shape)];
    return [
      {
        key: `${node.kind}${attributes(node)} ${inputShapes.map(shapeText).join(' ')} → ${outputShapes.map(shapeText).join(' ')}${relu ? ' Relu' : ''}`,
        kind: kindOf(node, inputShapes[0]?.[1] ?? 0),
        macs: ruleOf(node).macs(node as never, inputShapes, outputShapes),
        bytes: 4 * sizes.reduce((sum, shape) => sum + sizeOf(shape), 0),
        nodes: relu ? [node, relu] : [node],
        inputs: read.map((name) => ({ name, shape: shapes.get(name)!, dtype: dtypes.get(name) ?? 'float32' })),
        params,
      },
    ];
  });
}

/**
 * A graph of so many copies of a layer side by side, each with weights of its own; only the last one's result is an output. What one
 * copy more costs is the layer's time, without the feeding and reading that every run has.
 */
export function layerGraph(layer: Layer, copies: number): Graph {
  const params: Record<string, ParamSpec> = {};
  const nodes: Node[] = [];
  let output = '';
  const inputs = new Set(layer.inputs.map(({ name }) => name));
  for (let copy = 0; copy < copies; copy++) {
    const rename = (name: string): string => (inputs.has(name) ? name : `${name}/${copy}`);
    for (const [name, spec] of Object.entries(layer.params)) params[rename(name)] = spec;
    for (const node of layer.nodes) {
      const renamed = Object.fromEntries(Object.entries(node.params).map(([role, name]) => [role, rename(name)]));
      nodes.push({
        ...node,
        name: `${node.name}/${copy}`,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
        params: renamed,
      } as Node);
    }
    output = rename(layer.nodes.at(-1)!.outputs[0]!);
  }
  return freezeGraph({ name: 'layer', inputs: [...layer.inputs], nodes, params, outputs: { output } });
}

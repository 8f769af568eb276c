/** A small builder: declares inputs and parameters, appends nodes, and freezes the result. */
import type { DType } from '../core/tensor.ts';
import type { Dim, Graph, NodeOf, ParamSpec, ValueSpec } from './graph.ts';
import type { ConvAttrs, OpAttrs, OpKind, RepConvAttrs } from './kinds.ts';
import { repConvParams } from './rep-conv.ts';

export interface GraphBuilder {
  /** Declares an input and returns its value name. */
  input(name: string, shape: readonly Dim[], dtype?: DType): string;
  /** Appends a one-output node named `name`; its value has the same name. */
  op<K extends OpKind>(
    kind: K,
    name: string,
    inputs: readonly string[],
    attrs: OpAttrs[K],
    params?: Record<string, string>,
  ): string;
  /** Declares parameters. */
  declare(specs: Readonly<Record<string, ParamSpec>>): void;
  /** Appends a RepConv with its parameters under `name`. */
  repConv(name: string, x: string, attrs: RepConvAttrs): string;
  /** Appends a Conv with `name.weight` and `name.bias`. */
  conv(name: string, x: string, outChannels: number, inChannels: number, attrs: ConvAttrs): string;
  /** Appends a Split into parts of so many elements along an axis, by default channels; its values are `name.0`, `name.1` and so on. */
  split(name: string, x: string, split: readonly number[], axis?: number): string[];
  /** Freezes and returns the graph. */
  build(outputs: Readonly<Record<string, string>>): Graph;
}

/** Attributes of a square convolution with "same" padding for odd kernels. */
export function convAttrs(kernel: number, stride = 1, group = 1, dilation = 1): ConvAttrs {
  const pad = ((kernel - 1) / 2) * dilation;
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    dilations: [dilation, dilation],
    group,
  };
}

export function graphBuilder(graphName: string): GraphBuilder {
  const inputs: ValueSpec[] = [];
  const nodes: NodeOf<OpKind>[] = [];
  const params: Record<string, ParamSpec> = {};
  const builder: GraphBuilder = {
    input(name, shape, dtype = 'float32') {
      inputs.push({ name, shape, dtype });
      return name;
    },
    op(kind, name, nodeInputs, attrs, nodeParams = {}) {
      nodes.push({ kind, name, inputs: nodeInputs, outputs: [name], params: nodeParams, attrs } as NodeOf<OpKind>);
      return name;
    },
    declare(specs) {
      Object.assign(params, specs);
    },
    repConv(name, x, attrs) {
      const { params: roles, specs } = repConvParams(name, attrs);
      builder.declare(specs);
      return builder.op('RepConv', name, [x], attrs, roles);
    },
    conv(name, x, outChannels, inChannels, attrs) {
      const roles = { weight: `${name}.weight`, bias: `${name}.bias` };
      builder.declare({
        [roles.weight]: { shape: [outChannels, inChannels / attrs.group, ...attrs.kernel_shape], role: 'weight' },
        [roles.bias]: { shape: [outChannels], role: 'bias' },
      });
      return builder.op('Conv', name, [x], attrs, roles);
    },
    split(name, x, split, axis = 1) {
      const outputs = split.map((_, i) => `${name}.${i}`);
      nodes.push({ kind: 'Split', name, inputs: [x], outputs, params: {}, attrs: { axis, split } });
      return outputs;
    },
    build: (outputs) => freezeGraph({ name: graphName, inputs, nodes: nodes as Graph['nodes'], params, outputs }),
  };
  return builder;
}

/** Deep-freezes a graph, so that passes must make new ones. */
export function freezeGraph(graph: Graph): Graph {
  const freeze = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  };
  freeze(graph);
  return graph;
}

/** Counts of a graph: parameters, multiply-accumulates, activation and weight bytes. */
import { sizeOf } from '../core/tensor.ts';
import { type BoundGraph, ruleOf } from './bind.ts';
import { type Graph, isLearnable } from './graph.ts';

export interface NodeCost {
  readonly node: string;
  readonly kind: string;
  readonly macs: number;
  /** Learnable parameters. */
  readonly params: number;
  /** Bytes of activations read and written, fp32. */
  readonly activationBytes: number;
  /** Bytes of parameters read, fp32. */
  readonly weightBytes: number;
}

export interface Cost {
  readonly nodes: readonly NodeCost[];
  readonly macs: number;
  readonly params: number;
  readonly activationBytes: number;
  readonly weightBytes: number;
}

/** Learnable parameters of a graph. */
export function countParams(graph: Graph): number {
  return Object.values(graph.params)
    .filter(isLearnable)
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Counts the cost of every node at the bound shapes. */
export function cost({ graph, shapes }: BoundGraph): Cost {
  const nodes = graph.nodes.map((node): NodeCost => {
    const inputs = node.inputs.map((name) => shapes.get(name)!);
    const outputs = node.outputs.map((name) => shapes.get(name)!);
    const params = Object.values(node.params).map((name) => graph.params[name]!);
    const count = (specs: typeof params): number => specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return {
      node: node.name,
      kind: node.kind,
      macs: ruleOf(node).macs(node, inputs, outputs),
      params: count(params.filter(isLearnable)),
      activationBytes: 4 * [...inputs, ...outputs].reduce((sum, shape) => sum + sizeOf(shape), 0),
      weightBytes: 4 * count(params),
    };
  });
  const total = (key: 'macs' | 'params' | 'activationBytes' | 'weightBytes'): number =>
    nodes.reduce((sum, node) => sum + node[key], 0);
  return {
    nodes,
    macs: total('macs'),
    params: countParams(graph),
    activationBytes: total('activationBytes'),
    weightBytes: total('weightBytes'),
  };
}

/** Binds named dimensions, infers every shape and checks the graph: the one verifier. */
import type { Shape } from '../core/tensor.ts';
import type { Dim, Graph, Node, NodeOf } from './graph.ts';
import type { OpKind } from './kinds.ts';
import { OPS } from './ops.ts';
import { type OpRule, type OpTable, paramShape } from './shape-rules.ts';

/** Sizes of the named dimensions, e.g. `{ N: 32, H: 224, W: 224 }`. */
export type Dims = Readonly<Record<string, number>>;

/** A graph whose shapes are known. */
export interface BoundGraph {
  readonly graph: Graph;
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** The rule of a node's kind, typed for that node. */
export function ruleOf<K extends OpKind>(node: NodeOf<K>): OpRule<K> {
  return OPS[node.kind] as unknown as OpRule<K>;
}

function bindDim(dim: Dim, dims: Dims, input: string): number {
  const size = typeof dim === 'number' ? dim : dims[dim];
  if (size === undefined) throw new TypeError(`input "${input}": the size of dimension ${dim} is not given`);
  if (!Number.isInteger(size) || size < 1) throw new TypeError(`input "${input}": ${dim} = ${size} is not a size`);
  return size;
}

/**
 * Checks the graph (names defined once and before use, parameters declared, shapes agree) and returns all shapes.
 * Throws a TypeError naming the offending node.
 */
export function bind(graph: Graph, dims: Dims): BoundGraph {
  return bindBy(OPS, graph, dims);
}

/** Like `bind`, by the rules of a table: a page that only classifies is spared the others. */
export function bindBy(ops: OpTable, graph: Graph, dims: Dims): BoundGraph {
  const shapes = new Map<string, Shape>();
  for (const { name, shape } of graph.inputs) {
    shapes.set(
      name,
      shape.map((dim) => bindDim(dim, dims, name)),
    );
  }
  for (const node of graph.nodes) bindNode(ops, graph, node, shapes);
  for (const [output, value] of Object.entries(graph.outputs)) {
    if (!shapes.has(value)) throw new TypeError(`output "${output}": no node makes the value "${value}"`);
  }
  return { graph, shapes };
}

function bindNode(ops: OpTable, graph: Graph, node: Node, shapes: Map<string, Shape>): void {
  const fail = (message: string): never => {
    throw new TypeError(`node "${node.name}" (${node.kind}): ${message}`);
  };
  const inputs = node.inputs.map((name) => shapes.get(name) ?? fail(`input "${name}" is not defined before it`));
  for (const name of Object.values(node.params)) {
    if (!graph.params[name]) fail(`parameter "${name}" is not declared`);
  }
  const rule = (ops[node.kind] as OpRule<OpKind> | undefined) ?? fail('this kind is not known here');
  let outputs: Shape[] = [];
  try {
    outputs = rule.infer(node as never, inputs, (role) => paramShape(graph.params, node, role));
  } catch (error) {
    fail((error as Error).message);
  }
  if (outputs.length !== node.outputs.length)
    fail(`has ${node.outputs.length} outputs, its kind makes ${outputs.length}`);
  node.outputs.forEach((name, i) => {
    if (shapes.has(name)) fail(`output "${name}" is already defined`);
    shapes.set(name, outputs[i]!);
  });
}

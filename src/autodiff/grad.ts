/** Reverse-mode differentiation as a pure graph → graph function. */
import type { Graph, Node } from '../graph/graph.ts';
import { learnableParams } from '../graph/graph.ts';
import { gradName, VJPS } from './vjp.ts';

/**
 * Appends to a graph the nodes that compute the gradient of the scalar `loss` value with respect to every learnable
 * parameter; they are values named `grad:<param>`. A value used twice gets the sum of its gradients (`Add`).
 */
export function grad(graph: Graph, loss: string): Graph {
  const differentiable = reachesParams(graph);
  const gradients = new Map<string, string>();
  const added: Node[] = [];

  const accumulate = (value: string, gradient: string): void => {
    const earlier = gradients.get(value);
    if (earlier === undefined) {
      gradients.set(value, gradient);
      return;
    }
    // Named by the value: one gradient may be added to those of several values (both inputs of an Add).
    const sum = `${value}.sum${added.length}`;
    added.push({ kind: 'Add', name: sum, inputs: [earlier, gradient], outputs: [sum], params: {}, attrs: {} });
    gradients.set(value, sum);
  };

  for (const node of graph.nodes.toReversed()) {
    const output = node.outputs[0]!;
    const dy = output === loss ? undefined : gradients.get(output);
    if (output !== loss && !node.outputs.some((value) => gradients.has(value))) continue;
    const vjp = VJPS[node.kind];
    if (!vjp) throw new TypeError(`node "${node.name}" (${node.kind}) can't be trained: ${node.kind} has no gradient`);
    const needsInputGrad = differentiable.has(node.inputs[0]!);
    const result = vjp(node as never, {
      dy: dy ?? '',
      needsInputGrad,
      paramGrads: learnableParams(graph, node).map(gradName),
    });
    added.push(...result.nodes);
    for (const [value, gradient] of result.inputGrads) accumulate(value, gradient);
  }
  return { ...graph, nodes: [...graph.nodes, ...added] };
}

/** Values that depend on a learnable parameter, and so need a gradient. */
function reachesParams(graph: Graph): Set<string> {
  const reached = new Set<string>();
  for (const node of graph.nodes) {
    if (learnableParams(graph, node).length > 0 || node.inputs.some((value) => reached.has(value))) {
      node.outputs.forEach((value) => {
        reached.add(value);
      });
    }
  }
  return reached;
}

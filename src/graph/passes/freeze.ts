/** A model of which a part is not trained: its RepConvs as plain convolutions, its parameters marked. */
import { freezeGraph } from '../build.ts';
import type { Graph, Node, ParamSpec } from '../graph.ts';
import { fuseGraph } from './fuse.ts';

/**
 * Fuses the RepConvs that are `frozen`, so that they cost what they do in inference and keep their statistics, and marks
 * the parameters of all frozen nodes. What is frozen must come first: a gradient that has to pass through it would be lost.
 */
export function freezeNodes(graph: Graph, frozen: (node: Node) => boolean): Graph {
  const fused = fuseGraph(graph, frozen);
  const still = new Set(fused.nodes.filter(frozen).flatMap(({ params }) => Object.values(params)));
  const mark = ([name, spec]: [string, ParamSpec]): [string, ParamSpec] => [
    name,
    still.has(name) ? { ...spec, frozen: true } : spec,
  ];
  return freezeGraph({ ...fused, params: Object.fromEntries(Object.entries(fused.params).map(mark)) });
}

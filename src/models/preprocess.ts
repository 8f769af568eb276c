import { freezeGraph } from '../graph/build.ts';
import type { Graph } from '../graph/graph.ts';

/**
 * Puts the preprocessing inside the model: the input `input` [N, C, H, W] is replaced by `image`, uint8
 * [N, H, W, C], followed by a `Preprocess` node (image / 255 − mean) / std.
 */
export function withPreprocess(graph: Graph, options: { mean: readonly number[]; std: readonly number[] }): Graph {
  const input = graph.inputs.find(({ name }) => name === 'input');
  if (!input) throw new TypeError(`graph "${graph.name}" has no input "input"`);
  const [n, c, h, w] = input.shape;
  const { mean, std } = options;
  return freezeGraph({
    ...graph,
    inputs: [
      { name: 'image', shape: [n!, h!, w!, c!], dtype: 'uint8' },
      ...graph.inputs.filter(({ name }) => name !== 'input'),
    ],
    nodes: [
      { kind: 'Preprocess', name: 'input', inputs: ['image'], outputs: ['input'], params: {}, attrs: { mean, std } },
      ...graph.nodes,
    ],
  });
}

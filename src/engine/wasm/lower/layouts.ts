/** Which physical layout each parameter gets, in arena order: a RepConv's branches lie one after the other. */
import type { Shape } from '../../../core/tensor.ts';
import type { Graph, Node } from '../../../graph/graph.ts';
import { branchesOf } from '../../../graph/rep-conv.ts';
import { denseLayout, depthwiseLayout, type Layout, pad8, rowsLayout, vectorLayout } from '../layout.ts';

type StrideOf = (value: string) => number;

/** Length of a dense kernel's row: taps · channel stride, padded. */
export function rowLength(taps: number, channelStride: number): number {
  return pad8(taps * channelStride);
}

/** Layouts of all parameters of a graph, in the order in which they should lie in the arenas. */
export function paramLayouts(graph: Graph, strideOf: StrideOf): Map<string, Layout> {
  const layouts = new Map<string, Layout>();
  const shapeOf = (name: string): Shape => graph.params[name]!.shape;
  const add = (name: string | undefined, layout: (shape: Shape) => Layout): void => {
    if (name !== undefined && !layouts.has(name)) layouts.set(name, layout(shapeOf(name)));
  };
  const vector = (shape: Shape): Layout => vectorLayout(shape[0]!);
  for (const node of graph.nodes) addNode(node, strideOf, add, vector);
  return layouts;
}

function addNode(
  node: Node,
  strideOf: StrideOf,
  add: (name: string | undefined, layout: (shape: Shape) => Layout) => void,
  vector: (shape: Shape) => Layout,
): void {
  switch (node.kind) {
    case 'RepConv': {
      const { attrs } = node;
      const stride = strideOf(node.inputs[0]!);
      const taps = attrs.kernel_size ** 2;
      const depthwise = attrs.groups > 1;
      const branches = branchesOf(node);
      for (const branch of branches) {
        if (branch.type === 'skip') continue;
        const firstTap = branch.type === 'scale' ? (taps - 1) / 2 : 0;
        add(branch.weight, (shape) =>
          depthwise ? depthwiseLayout(shape) : denseLayout(shape, rowLength(taps, stride), stride, firstTap),
        );
      }
      for (const role of ['weight', 'bias', 'running_mean', 'running_var'] as const) {
        for (const { norm } of branches) add(norm[role], vector);
      }
      break;
    }
    case 'Conv': {
      const { group, kernel_shape } = node.attrs;
      const stride = strideOf(node.inputs[0]!);
      const taps = kernel_shape[0] * kernel_shape[1];
      add(node.params.weight, (shape) =>
        group > 1 ? depthwiseLayout(shape) : denseLayout(shape, rowLength(taps, stride), stride),
      );
      add(node.params.bias, vector);
      break;
    }
    case 'Gemm':
      add(node.params.weight, (shape) => denseLayout(shape, pad8(shape[1]!), pad8(shape[1]!)));
      add(node.params.bias, vector);
      break;
    case 'PRelu':
      add(node.params.slope, vector);
      break;
    default:
      for (const name of Object.values(node.params)) add(name, rowsLayout);
  }
}

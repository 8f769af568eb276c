/** The train form in evaluation, spelled out: every RepConv as its branches of Conv, BatchNormalization and Add. */
import { convAttrs, freezeGraph } from '../build.ts';
import type { Graph, Node, NodeOf } from '../graph.ts';
import { type Branch, branchesOf } from '../rep-conv.ts';

/**
 * Replaces every evaluation-mode RepConv by ordinary nodes that use the same parameters: what the train form costs
 * without fusing. Throws a TypeError for a RepConv in train mode.
 */
export function expandBranches(graph: Graph): Graph {
  return freezeGraph({ ...graph, nodes: graph.nodes.flatMap((n) => (n.kind === 'RepConv' ? expandNode(n) : [n])) });
}

/** Path of a branch under its node, as in its parameters' names. */
function branchPath(node: NodeOf<'RepConv'>, branch: Branch, index: number): string {
  if (branch.type === 'conv') return `${node.name}.conv_kxk.${index}`;
  return branch.type === 'scale' ? `${node.name}.conv_scale` : `${node.name}.identity`;
}

function expandNode(node: NodeOf<'RepConv'>): Node[] {
  if (node.attrs.training) throw new TypeError(`node "${node.name}" (RepConv) is in train mode and can't be expanded`);
  const { kernel_size, stride, groups, dilation, epsilon } = node.attrs;
  const [x, result] = [node.inputs[0]!, node.outputs[0]!];
  const branches = branchesOf(node);
  const nodes: Node[] = [];
  let sum: string | undefined;

  branches.forEach((branch, i) => {
    const path = branchPath(node, branch, i);
    const last = i === branches.length - 1;
    let y = x;
    if (branch.type !== 'skip') {
      y = `${path}.conv`;
      const attrs =
        branch.type === 'scale' ? convAttrs(1, stride, groups) : convAttrs(kernel_size, stride, groups, dilation);
      nodes.push({ kind: 'Conv', name: y, inputs: [x], outputs: [y], params: { weight: branch.weight }, attrs });
    }
    // The value of the last operation keeps the name that the rest of the graph reads.
    const norm = branch.type === 'skip' ? path : `${path}.bn`;
    const normed = last && sum === undefined ? result : norm;
    nodes.push({
      kind: 'BatchNormalization',
      name: norm,
      inputs: [y],
      outputs: [normed],
      params: { ...branch.norm },
      attrs: { epsilon },
    });
    if (sum === undefined) {
      sum = normed;
      return;
    }
    const name = `${node.name}.sum.${i}`;
    const total = last ? result : name;
    nodes.push({ kind: 'Add', name, inputs: [sum, normed], outputs: [total], params: {}, attrs: {} });
    sum = total;
  });
  return nodes;
}

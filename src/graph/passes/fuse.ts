/** The fused form of a graph: every RepConv becomes one convolution (paper §3.2.2); the weights are `reparam/fuse.ts`'s. */
import { convAttrs, freezeGraph } from '../build.ts';
import type { Graph, Node, NodeOf, ParamSpec } from '../graph.ts';
import { kernelShape } from '../rep-conv.ts';

/** Names of the convolution that replaces a RepConv, timm's: `<prefix>.reparam_conv.{weight,bias}`. */
export function fusedParams(node: NodeOf<'RepConv'>): { readonly weight: string; readonly bias: string } {
  const [role, name] = Object.entries(node.params)[0]!;
  const prefix = name.endsWith(`.${role}`) ? name.slice(0, -role.length - 1) : node.name;
  return { weight: `${prefix}.reparam_conv.weight`, bias: `${prefix}.reparam_conv.bias` };
}

/**
 * Replaces every RepConv (or those that are `chosen`) by a Conv of the same name, inside any composite graph; a graph
 * without any is returned as it is. Throws a TypeError for a graph in train mode, whose batch statistics no fixed
 * convolution can give.
 */
export function fuseGraph(graph: Graph, chosen: (node: Node) => boolean = () => true): Graph {
  const fuses = (node: Node): node is NodeOf<'RepConv'> => node.kind === 'RepConv' && chosen(node);
  if (!graph.nodes.some(fuses)) return graph;
  const params: Record<string, ParamSpec> = {};
  const others = graph.nodes.filter((node) => !fuses(node));
  const kept = new Set(others.flatMap((node) => Object.values(node.params)));
  const dropped = new Set<string>();

  const nodes = graph.nodes.map((node): Node => {
    if (!fuses(node)) {
      for (const name of Object.values(node.params)) params[name] = graph.params[name]!;
      return node;
    }
    if (node.attrs.training) throw new TypeError(`node "${node.name}" (RepConv) is in train mode and can't be fused`);
    const { kernel_size, stride, groups, dilation, out_chs } = node.attrs;
    const names = fusedParams(node);
    params[names.weight] = { shape: kernelShape(node.attrs), role: 'weight' };
    params[names.bias] = { shape: [out_chs], role: 'bias' };
    Object.values(node.params).forEach((name) => {
      if (!kept.has(name)) dropped.add(name);
    });
    return {
      kind: 'Conv',
      name: node.name,
      inputs: node.inputs,
      outputs: node.outputs,
      params: names,
      attrs: convAttrs(kernel_size, stride, groups, dilation),
    };
  });
  const unused = Object.entries(graph.params).filter(([name]) => !dropped.has(name) && !(name in params));
  return freezeGraph({ ...graph, nodes, params: { ...params, ...Object.fromEntries(unused) } });
}

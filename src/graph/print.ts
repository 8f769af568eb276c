/** A bound graph for people: an aligned text table, and a drawing. Both show blocks, shapes and counts. */
import type { Shape } from '../core/tensor.ts';
import type { BoundGraph } from './bind.ts';
import { cost } from './cost.ts';
import type { Node, NodeOf } from './graph.ts';
import type { OpKind } from './kinds.ts';

export interface PrintedNode {
  readonly name: string;
  readonly kind: OpKind;
  /** What the node does, in short: `3×3 stride 2, 48 groups, 4 conv + scale + skip`. */
  readonly what: string;
  /** Output shape, e.g. `1×48×112×112`. */
  readonly shape: string;
  /** Learnable parameters. */
  readonly params: number;
  readonly macs: number;
}

const describe: { readonly [K in OpKind]?: (node: NodeOf<K>) => string } = {
  Preprocess: ({ attrs }) => `(image / 255 − mean) / std, ${attrs.mean.length} channels`,
  RepConv: ({ attrs }) => {
    const { kernel_size: k, stride, groups, dilation, num_conv_branches, scale, skip, training } = attrs;
    const branches = [`${num_conv_branches} conv`, ...(scale ? ['scale'] : []), ...(skip ? ['skip'] : [])];
    return [convText([k, k], stride, groups, dilation), branches.join(' + '), ...(training ? ['train'] : [])].join(
      ', ',
    );
  },
  Conv: ({ attrs }) => convText(attrs.kernel_shape, attrs.strides[0], attrs.group, attrs.dilations[0]),
  Clip: ({ attrs }) => `${attrs.min} … ${attrs.max}`,
  Concat: ({ attrs, inputs }) => `${inputs.length} along axis ${attrs.axis}`,
  Split: ({ attrs }) => `${attrs.split.join(' + ')} along axis ${attrs.axis}`,
  Slice: ({ attrs }) => `${attrs.start} … ${attrs.end - 1} of axis ${attrs.axis}`,
  ChannelShuffle: ({ attrs }) => `${attrs.groups} groups`,
  Pad: ({ attrs }) => `top, left, bottom, right ${attrs.pads.join(', ')}`,
  MaxPool: ({ attrs }) => convText(attrs.kernel_shape, attrs.strides[0], 1, 1),
  AveragePool: ({ attrs }) => convText(attrs.kernel_shape, attrs.strides[0], 1, 1),
  ReduceMean: ({ attrs }) => `axes ${attrs.axes.join(', ')}`,
  Transpose: ({ attrs }) => `axes ${attrs.perm.join(', ')}`,
  Reshape: ({ attrs, inputs }) => `${attrs.shape.join(', ')}${inputs[1] ? ` like ${inputs[1]}` : ''}`,
  SpaceToDepth: ({ attrs }) => `blocks of ${attrs.blocksize}×${attrs.blocksize}`,
  DepthToSpace: ({ attrs }) => `blocks of ${attrs.blocksize}×${attrs.blocksize}`,
  LayerNormalization: ({ attrs }) => `axes from ${attrs.axis} on`,
  Constant: ({ attrs: { value } }) => (value.length === 1 ? String(Number(value[0]!.toPrecision(6))) : ''),
};

function convText(kernel: readonly number[], stride: number, groups: number, dilation: number): string {
  return [
    kernel.join('×') + (stride > 1 ? ` stride ${stride}` : ''),
    ...(dilation > 1 ? [`dilation ${dilation}`] : []),
    ...(groups > 1 ? [`${groups} groups`] : []),
  ].join(', ');
}

const shapeText = (shape: Shape): string => (shape.length === 0 ? 'scalar' : shape.join('×'));

/** Lists the nodes with what a reader wants to know of each. */
export function describeNodes(bound: BoundGraph): PrintedNode[] {
  const counted = cost(bound);
  return bound.graph.nodes.map((node: Node, i): PrintedNode => {
    const rule = describe[node.kind] as ((node: Node) => string) | undefined;
    const { params, macs } = counted.nodes[i]!;
    const shape = node.outputs.map((name) => shapeText(bound.shapes.get(name)!)).join(', ');
    return { name: node.name, kind: node.kind, what: rule?.(node) ?? '', shape, params, macs };
  });
}

/** Groups digits by threes: `1,234,567`. */
export function groupDigits(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Prints a graph as a table of its nodes with totals: name, kind, attributes, output shape, parameters, MACs. */
export function printGraph(bound: BoundGraph): string {
  const { graph } = bound;
  const total = cost(bound);
  const inputs = graph.inputs.map(({ name, dtype }) => `${name} ${shapeText(bound.shapes.get(name)!)} ${dtype}`);
  const outputs = Object.entries(graph.outputs).map(
    ([name, value]) => `${name} ${shapeText(bound.shapes.get(value)!)}`,
  );
  const rows = [
    ['node', 'kind', 'what', 'output', 'params', 'MACs'],
    ...describeNodes(bound).map(({ name, kind, what, shape, params, macs }) => [
      name,
      kind,
      what,
      shape,
      params ? groupDigits(params) : '',
      macs ? groupDigits(macs) : '',
    ]),
    ['total', `${graph.nodes.length} nodes`, '', '', groupDigits(total.params), groupDigits(total.macs)],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < 4 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  lines.splice(1, 0, rule);
  lines.splice(-1, 0, rule);
  return [
    `graph ${graph.name}`,
    `inputs  ${inputs.join('; ')}`,
    `outputs ${outputs.join('; ')}`,
    '',
    ...lines,
    '',
  ].join('\n');
}

/** The networks of the study of scaling: MobileOnes cut after a stage, with other depths, and with k branches written out. */
import { layersOf } from '../bench/predict/layers.ts';
import { sizeOf } from '../core/tensor.ts';
import { freezeGraph } from '../graph/build.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { repConvParams } from '../graph/rep-conv.ts';
import { DEFAULT_PREPROCESSING } from '../images/preprocess.ts';
import { type Four, mobileOne, STAGES, stageOf, VARIANTS, type Variant } from '../models/mobileone.ts';
import { withPreprocess } from '../models/preprocess.ts';
import type { Candidate } from './study.ts';

/** Side of the images, and of what each part makes of them. */
const SIZE = 224;

/** The parts of a network, in order: `stageOf` numbers them. */
export const PARTS = ['stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4', 'head'] as const;

/** Side of the feature map that a part works at: its output's, the head's is its input's. */
export const sideOf = (part: number): number => SIZE >> Math.min(part + 1, STAGES - 1);

/** Which part a node belongs to; the preprocessing is the stem's. */
export const partOf = ({ kind, name }: Pick<Node, 'kind' | 'name'>): number =>
  kind === 'Preprocess' ? 0 : stageOf(name);

export const variantOf = (net: string): Variant => net.replace('mobileone_', '') as Variant;

const build = (net: string, parts: Partial<(typeof VARIANTS)[Variant]> = {}): Graph =>
  mobileOne({ ...VARIANTS[variantOf(net)], ...parts }, { name: net });

/** The parameters that nodes still use. */
function withNodes(graph: Graph, nodes: readonly Node[], outputs: Graph['outputs']): Graph {
  const used = new Set(nodes.flatMap(({ params }) => Object.values(params)));
  const params = Object.fromEntries(Object.entries(graph.params).filter(([name]) => used.has(name)));
  return freezeGraph({ ...graph, nodes, params, outputs });
}

/**
 * A network up to the end of a part. Of its last values only those of one position are read, so that the cut itself costs nothing:
 * what one part more takes is the difference of two cuts.
 */
export function cutAfter(net: string, part: number): Candidate {
  return {
    name: `${net} to ${PARTS[part]}`,
    build() {
      const graph = build(net);
      const nodes = graph.nodes.filter((node) => partOf(node) <= part);
      const side = sideOf(part);
      const attrs = { kernel_shape: [1, 1], strides: [side, side], pads: [0, 0, 0, 0] } as const;
      const last = nodes.at(-1)!.outputs[0]!;
      const one: Node = {
        ...{ kind: 'MaxPool', name: 'one_position', inputs: [last], outputs: ['one_position'], params: {}, attrs },
      };
      const flat: Node = {
        ...{
          kind: 'Flatten',
          name: 'features',
          inputs: ['one_position'],
          outputs: ['features'],
          params: {},
          attrs: {},
        },
      };
      return withNodes(graph, [...nodes, one, flat], { features: 'features' });
    },
  };
}

/** A network with other numbers of blocks. */
export function withDepths(net: string, depths: Four): Candidate {
  return { name: `${net} ${depths.join('-')}`, build: () => build(net, { depths }) };
}

/** The depths of a variant. */
export const depthsOf = (net: string): Four => VARIANTS[variantOf(net)].depths;

/** Depths with blocks added or taken away, by stages counted from 0. */
export function changed(depths: Four, changes: Readonly<Record<number, number>>): Four {
  return depths.map((depth, i) => depth + (changes[i] ?? 0)) as unknown as Four;
}

/**
 * The train form with k convolutions a block, its branches written out. k = 0 leaves the scale and skip branches alone, and one convolution
 * where a block has neither. The stem always has one, as in the released code.
 */
export function withBranches(net: string, k: number): Candidate {
  return {
    name: `${net} k${k}`,
    form: 'train',
    build() {
      const graph = build(net, { num_conv_branches: Math.max(1, k) });
      return k > 0 ? graph : withoutConvs(graph);
    },
  };
}

function withoutConvs(graph: Graph): Graph {
  const nodes = graph.nodes.map((node): Node => {
    if (node.kind !== 'RepConv' || partOf(node) === 0 || !(node.attrs.scale || node.attrs.skip)) return node;
    const attrs = { ...node.attrs, num_conv_branches: 0 };
    return { ...node, attrs, params: repConvParams(node.name, attrs).params };
  });
  return withNodes(graph, nodes, graph.outputs);
}

/** Whether two graphs have the same operations, shapes and order, by whatever names. */
export function sameLayers(a: Graph, b: Graph): boolean {
  const dims = { N: 1, H: SIZE, W: SIZE };
  const keys = (graph: Graph): string =>
    layersOf(fuseGraph(graph), dims)
      .map(({ key }) => key)
      .join('\n');
  return keys(a) === keys(b);
}

/** A layer of a fused network, with what can be counted of it. */
export interface CountedLayer {
  readonly layer: ReturnType<typeof layersOf>[number];
  /** timm's name of its node. */
  readonly name: string;
  readonly part: number;
  readonly macs: number;
  readonly params: number;
  /** Bytes, float32, of the activations that it reads and writes. */
  readonly activationBytes: number;
  readonly weightBytes: number;
}

/** The layers of a fused network with its preprocessing, a ReLU with what it follows. */
export function countedLayers(net: string): CountedLayer[] {
  const graph = withPreprocess(fuseGraph(build(net)), DEFAULT_PREPROCESSING);
  return layersOf(graph, { N: 1, H: SIZE, W: SIZE }).map((layer): CountedLayer => {
    const params = Object.values(layer.params).reduce((sum, { shape }) => sum + sizeOf(shape as readonly number[]), 0);
    const [node] = layer.nodes;
    return {
      ...{ layer, name: node.name, part: partOf(node), macs: layer.macs, params },
      ...{ weightBytes: 4 * params, activationBytes: layer.bytes - 4 * params },
    };
  });
}

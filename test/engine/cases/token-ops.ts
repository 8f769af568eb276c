/** Small graphs of the ops of transformers; without a test runner. */
import { type GraphBuilder, graphBuilder } from '../../../src/graph/build.ts';
import type { Dim } from '../../../src/graph/graph.ts';
import { attended, attentionScores, layerNorm, learned, linearLayer } from '../../../src/models/zoo/tokens.ts';
import { type Case, lively, noise } from './models.ts';

/** LayerNormalization over the axes of a shape. */
function norm(g: GraphBuilder, name: string, x: string, axis: number, shape: readonly number[]): string {
  const params = { weight: `${name}.weight`, bias: `${name}.bias` };
  g.declare({ [params.weight]: { shape, role: 'norm_weight' }, [params.bias]: { shape, role: 'norm_bias' } });
  return g.op('LayerNormalization', name, [x], { axis, epsilon: 1e-5 }, params);
}

interface Build {
  readonly shape: readonly Dim[];
  readonly dims: Case['dims'];
  /** Outputs of a graph over `shape`. */
  readonly build: (g: GraphBuilder, x: string) => Record<string, string>;
}

const TOKENS: Omit<Build, 'build'> = { shape: ['N', 'T', 12], dims: { N: 2, T: 5 } };

const BUILDS: Readonly<Record<string, Build>> = {
  attention: {
    ...TOKENS,
    build(g, x) {
      const shape = { channels: 12, heads: 3 };
      const qkv = linearLayer(g, 'qkv', layerNorm(g, 'norm', x, 12, 1e-6), [12, 36]);
      const [q, k, v] = g.split('split', qkv, [12, 12, 12], 2) as [string, string, string];
      const scores = attentionScores(g, 'attn', [q, k], shape);
      return { scores, y: g.op('Add', 'y', [attended(g, 'attn', [scores, v], shape), x], {}) };
    },
  },
  'learned tensors and a class token': {
    ...TOKENS,
    build(g, x) {
      const tokens = g.op('Concat', 'tokens', [learned(g, 'cls_token', [1, 1, 12], x), x], { axis: 1 });
      const sum = g.op('Add', 'sum', [tokens, learned(g, 'bias', [1, 1, 12])], {});
      const first = g.op('Flatten', 'first', [g.op('Slice', 'cls', [sum], { axis: 1, start: 0, end: 1 })], {});
      return {
        sum,
        logits: linearLayer(g, 'head', first, [12, 4], { bias: false }),
        repeated: learned(g, 'queries', [1, 3, 6], x),
      };
    },
  },
  'patches of an image': {
    shape: ['N', 3, 'H', 'W'],
    dims: { N: 2, H: 6, W: 4 },
    build(g, x) {
      const blocks = g.op('SpaceToDepth', 'blocks', [x], { blocksize: 2 });
      const each = g.op('Reshape', 'each', [blocks], { shape: [-1, 3, 0, 0] });
      const rows = g.op('Reshape', 'rows', [each], { shape: [0, 0, -1] });
      const tokens = norm(g, 'norm', g.op('Transpose', 'tokens', [rows], { perm: [0, 2, 1] }), 2, [3]);
      const turned = g.op('Transpose', 'turned', [tokens], { perm: [0, 2, 1] });
      const back = g.op('Reshape', 'back', [turned, each], { shape: [0, 0, 0, 0] });
      const whole = g.op('Reshape', 'whole', [back], { shape: [-1, 12, 0, 0] });
      const wide = linearLayer(g, 'wide', tokens, [3, 5]);
      const image = g.op('Transpose', 'image', [wide], { perm: [0, 2, 1] });
      return {
        normed: tokens,
        y: g.op('DepthToSpace', 'y', [whole], { blocksize: 2 }),
        other: g.op('Reshape', 'other', [image, each], { shape: [-1, 5, 0, 0] }),
      };
    },
  },
  'four axes': {
    shape: ['N', 3, 'H', 8],
    dims: { N: 2, H: 5 },
    build: (g, x) => ({
      soft: g.op('Softmax', 'soft', [x], {}),
      normed: norm(g, 'normed', x, 3, [8]),
      linear: linearLayer(g, 'linear', x, [8, 5]),
      plain: linearLayer(g, 'plain', x, [8, 5], { bias: false }),
      turned: g.op('Transpose', 'turned', [x], { perm: [3, 1, 0, 2] }),
    }),
  },
};

/** Cases for every engine that has these ops. */
export function tokenCases(): Case[] {
  return Object.entries(BUILDS).map(([name, { shape, dims, build }], i) => {
    const g = graphBuilder(name);
    const graph = g.build(build(g, g.input('input', shape)));
    const input = noise(
      shape.map((dim) => (typeof dim === 'string' ? dims[dim]! : dim)),
      i,
    );
    return { graph, dims, feeds: { input }, state: lively(graph, 7) };
  });
}

/** Layers of transformers that timm's classes share, over tokens `[N, T, C]`, with timm's names. */
import type { GraphBuilder } from '../../graph/build.ts';

/** A learned tensor `name` as a value, `name.value`; [1, …] becomes [N, …] with `like` [N, …]. */
export function learned(g: GraphBuilder, name: string, shape: readonly number[], like?: string): string {
  g.declare({ [name]: { shape, role: 'weight' } });
  return g.op('Parameter', `${name}.value`, like === undefined ? [] : [like], {}, { value: name });
}

/** A linear layer over the last axis, `name.weight` and, unless `bias` is false, `name.bias`: […, from] → […, to]. */
export function linearLayer(
  g: GraphBuilder,
  name: string,
  x: string,
  [from, to]: readonly [number, number],
  { bias = true }: { readonly bias?: boolean } = {},
): string {
  g.declare({ [`${name}.weight`]: { shape: [to, from], role: 'weight' } });
  if (bias) g.declare({ [`${name}.bias`]: { shape: [to], role: 'bias' } });
  return g.op('Gemm', name, [x], {}, { weight: `${name}.weight`, ...(bias ? { bias: `${name}.bias` } : {}) });
}

/** LayerNorm (arXiv 1607.06450) over the channels of tokens `[N, T, C]`. */
export function layerNorm(g: GraphBuilder, name: string, x: string, channels: number, epsilon: number): string {
  const params = { weight: `${name}.weight`, bias: `${name}.bias` };
  g.declare({
    [params.weight]: { shape: [channels], role: 'norm_weight' },
    [params.bias]: { shape: [channels], role: 'norm_bias' },
  });
  return g.op('LayerNormalization', name, [x], { axis: 2, epsilon }, params);
}

/** The parts of tokens that each head has: `[N, T, C]` → `[N, heads, T, C / heads]`, or with the last two turned. */
export function splitHeads(g: GraphBuilder, name: string, x: string, heads: number, turned = false): string {
  const parts = g.op('Reshape', `${name}.heads`, [x], { shape: [0, 0, heads, -1] });
  return g.op('Transpose', `${name}.permute`, [parts], { perm: turned ? [0, 2, 3, 1] : [0, 2, 1, 3] });
}

/** softmax(q · kᵀ / √d), one matrix a head: `[N, T, C]` of q and k → `[N, heads, T, T]` (arXiv 1706.03762, equation 1). */
export function attentionScores(
  g: GraphBuilder,
  name: string,
  [q, k]: readonly [string, string],
  { channels, heads }: { readonly channels: number; readonly heads: number },
): string {
  const scale = g.op('Constant', `${name}.scale`, [], { shape: [], value: [(channels / heads) ** -0.5] });
  const queries = g.op('Mul', `${name}.q.scaled`, [splitHeads(g, `${name}.q`, q, heads), scale], {});
  const product = g.op('MatMul', `${name}.qk`, [queries, splitHeads(g, `${name}.k`, k, heads, true)], {});
  return g.op('Softmax', `${name}.softmax`, [product], {});
}

/** What the heads make of the values v `[N, T, C]` by their scores, joined and projected: `[N, T, C]`. */
export function attended(
  g: GraphBuilder,
  name: string,
  [scores, v]: readonly [string, string],
  { channels, heads }: { readonly channels: number; readonly heads: number },
): string {
  const mixed = g.op('MatMul', `${name}.av`, [scores, splitHeads(g, `${name}.v`, v, heads)], {});
  const back = g.op('Transpose', `${name}.back`, [mixed], { perm: [0, 2, 1, 3] });
  const joined = g.op('Reshape', `${name}.joined`, [back], { shape: [0, 0, channels] });
  return linearLayer(g, `${name}.proj`, joined, [channels, channels]);
}

/** Layers of transformers that timm's classes share, over tokens `[N, T, C]`, with timm's names. */
import type { GraphBuilder } from '../../graph/build.ts';
import { type Activation, activate } from './layers.ts';

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

/** Tokens from an image: `[N, C, H, W]` → `[N, H · W, C]`. */
export function toTokens(g: GraphBuilder, name: string, image: string): string {
  return g.op('Transpose', name, [g.op('Reshape', `${name}.rows`, [image], { shape: [0, 0, -1] })], {
    perm: [0, 2, 1],
  });
}

/** The way back, to the shape of an image `like`. */
export function toImage(g: GraphBuilder, name: string, tokens: string, like: string): string {
  const rows = g.op('Transpose', `${name}.rows`, [tokens], { perm: [0, 2, 1] });
  return g.op('Reshape', name, [rows, like], { shape: [0, 0, 0, 0] });
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

export interface Heads {
  readonly channels: number;
  readonly heads: number;
}

/** softmax(q · kᵀ / √d), one matrix a head: `[N, T, C]` of q and k → `[N, heads, T, T]` (arXiv 1706.03762, equation 1). */
export function attentionScores(
  g: GraphBuilder,
  name: string,
  [q, k]: readonly [string, string],
  { channels, heads }: Heads,
): string {
  const scale = g.op('Constant', `${name}.scale`, [], { shape: [], value: [(channels / heads) ** -0.5] });
  const queries = g.op('Mul', `${name}.q.scaled`, [splitHeads(g, `${name}.q`, q, heads), scale], {});
  const product = g.op('MatMul', `${name}.scores`, [queries, splitHeads(g, `${name}.k`, k, heads, true)], {});
  return g.op('Softmax', `${name}.softmax`, [product], {});
}

/** What the heads make of the values v `[N, T, C]` by their scores, joined and projected: `[N, T, C]`. */
export function attended(
  g: GraphBuilder,
  name: string,
  [scores, v]: readonly [string, string],
  { channels, heads }: Heads,
): string {
  const mixed = g.op('MatMul', `${name}.mixed`, [scores, splitHeads(g, `${name}.v`, v, heads)], {});
  const back = g.op('Transpose', `${name}.back`, [mixed], { perm: [0, 2, 1, 3] });
  const joined = g.op('Reshape', `${name}.joined`, [back], { shape: [0, 0, channels] });
  return linearLayer(g, `${name}.proj`, joined, [channels, channels]);
}

/** Self-attention of several heads, its queries, keys and values from one linear layer `name.qkv`. */
export function selfAttention(
  g: GraphBuilder,
  name: string,
  x: string,
  shape: Heads,
  bias: { readonly bias?: boolean } = {},
): string {
  const { channels } = shape;
  const qkv = linearLayer(g, `${name}.qkv`, x, [channels, 3 * channels], bias);
  const [q, k, v] = g.split(`${name}.split`, qkv, [channels, channels, channels], 2) as [string, string, string];
  return attended(g, name, [attentionScores(g, name, [q, k], shape), v], shape);
}

export interface EncoderBlock extends Heads {
  /** Width of the two linear layers' middle as a multiple of the channels. */
  readonly mlpRatio: number;
  readonly act: Activation;
  /** Of both LayerNorms. */
  readonly epsilon: number;
  /** In the place of self-attention: tokens → tokens. */
  readonly attention?: (name: string, x: string) => string;
}

/** A transformer's block, normalized first (arXiv 2010.11929, equations 2 and 3): x + attention, then x + two linear layers. */
export function encoderBlock(g: GraphBuilder, name: string, x: string, block: EncoderBlock): string {
  const { channels, mlpRatio, act, epsilon } = block;
  const attention = block.attention ?? ((path, tokens) => selfAttention(g, path, tokens, block));
  const normed = layerNorm(g, `${name}.norm1`, x, channels, epsilon);
  const y = g.op('Add', `${name}.add1`, [x, attention(`${name}.attn`, normed)], {});
  const hidden = channels * mlpRatio;
  const again = layerNorm(g, `${name}.norm2`, y, channels, epsilon);
  const fc1 = activate(g, `${name}.mlp.act`, linearLayer(g, `${name}.mlp.fc1`, again, [channels, hidden]), act);
  return g.op('Add', `${name}.add2`, [y, linearLayer(g, `${name}.mlp.fc2`, fc1, [hidden, channels])], {});
}

/** Logits `[N, classes]` from the first token, the class token. */
export function tokenClassifier(g: GraphBuilder, name: string, x: string, channels: number, classes: number): string {
  const first = g.op('Slice', `${name}.token`, [x], { axis: 1, start: 0, end: 1 });
  return linearLayer(g, name, g.op('Flatten', `${name}.flatten`, [first], {}), [channels, classes]);
}

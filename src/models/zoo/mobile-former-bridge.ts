/**
 * The pieces of Mobile-Former (arXiv 2108.05895) between its image `[N, C, H, W]` and its tokens `[N, T, 128]`, as its authors' code has
 * them (AAboys/MobileFormer, dna_blocks.py). Only one side of an attention is projected; the image is taken as it is.
 */
import type { GraphBuilder } from '../../graph/build.ts';
import { layerNorm, linearLayer, splitHeads } from './tokens.ts';

/** Length of a token. */
export const TOKEN: number = 128;

const tokenNorm = (g: GraphBuilder, name: string, x: string): string => layerNorm(g, name, x, TOKEN, 1e-5);

/** An image `[N, C, H, W]` as `[N, heads, C / heads, H · W]`. */
function planes(g: GraphBuilder, name: string, x: string, channels: number, heads: number): string {
  return g.op('Reshape', `${name}.planes`, [x], { shape: [0, heads, channels / heads, -1] });
}

const turned = (g: GraphBuilder, name: string, x: string): string =>
  g.op('Transpose', `${name}.turned`, [x], { perm: [0, 1, 3, 2] });

/** softmax(q · k / √d) · v, with q `[N, heads, Q, d]`, k `[N, heads, d, K]` and v `[N, heads, K, d]`. */
function attention(g: GraphBuilder, path: string, q: string, k: string, v: string, d: number): string {
  const scaled = g.op('Affine', `${path}.scale`, [q], { alpha: d ** -0.5, beta: 0 });
  const scores = g.op('MatMul', `${path}.scores`, [scaled, k], {});
  return g.op('MatMul', `${path}.attention`, [g.op('Softmax', `${path}.softmax`, [scores], {}), v], {});
}

/** `[N, heads, T, C / heads]` → `[N, T, C]` */
function joined(g: GraphBuilder, path: string, x: string, width: number): string {
  const y = g.op('Transpose', `${path}.by_tokens`, [x], { perm: [0, 2, 1, 3] });
  return g.op('Reshape', `${path}.joined`, [y], { shape: [0, 0, width] });
}

/** The tokens look at the image: two heads, each channel of what they see times a gate of their own. */
export function localToGlobal(g: GraphBuilder, path: string, x: string, channels: number, tokens: string): string {
  const q = splitHeads(g, `${path}.q`, linearLayer(g, `${path}.q`, tokens, [TOKEN, channels]), 2);
  const k = planes(g, path, x, channels, 2);
  const seen = joined(g, path, attention(g, path, q, k, turned(g, path, k), channels / 2), channels);
  const gate = g.op('HardSigmoid', `${path}.gate`, [linearLayer(g, `${path}.alpha.0`, tokens, [TOKEN, channels])], {});
  const alpha = g.op('Affine', `${path}.alpha`, [gate], { alpha: 2, beta: 0 });
  const y = linearLayer(g, `${path}.proj`, g.op('Mul', `${path}.gated`, [seen, alpha], {}), [channels, TOKEN]);
  return tokenNorm(g, `${path}.layer_norm`, g.op('Add', `${path}.sum`, [tokens, y], {}));
}

/** The tokens look at each other (four heads), then each goes through two linear layers. */
export function globalBlock(g: GraphBuilder, path: string, tokens: string): string {
  const q = splitHeads(g, `${path}.q`, linearLayer(g, `${path}.q`, tokens, [TOKEN, TOKEN]), 4);
  const v = splitHeads(g, `${path}.v`, tokens, 4);
  const seen = joined(g, path, attention(g, path, q, turned(g, path, v), v, TOKEN / 4), TOKEN);
  const first = g.op('Add', `${path}.sum`, [tokens, linearLayer(g, `${path}.channel_mlp`, seen, [TOKEN, TOKEN])], {});
  const x = tokenNorm(g, `${path}.layer_norm`, first);
  const wide = g.op('Gelu', `${path}.ffn.act`, [linearLayer(g, `${path}.ffn.0`, x, [TOKEN, 2 * TOKEN])], {});
  const y = linearLayer(g, `${path}.ffn.2`, wide, [2 * TOKEN, TOKEN]);
  return tokenNorm(g, `${path}.ffn_norm`, g.op('Add', `${path}.ffn.sum`, [x, y], {}));
}

/** The image looks at the tokens, two heads, and what it sees is added. */
export function globalToLocal(g: GraphBuilder, path: string, x: string, channels: number, tokens: string): string {
  const k = splitHeads(g, `${path}.k`, linearLayer(g, `${path}.k`, tokens, [TOKEN, channels]), 2, true);
  const v = splitHeads(g, `${path}.v`, linearLayer(g, `${path}.proj`, tokens, [TOKEN, channels]), 2);
  const q = turned(g, `${path}.q`, planes(g, path, x, channels, 2));
  const seen = turned(g, path, attention(g, path, q, k, v, channels / 2));
  const image = g.op('Reshape', `${path}.image`, [seen, x], { shape: [0, channels, 0, 0] });
  return g.op('Add', path, [x, image], {});
}

/** The first token `[N, 128]`. */
export function firstToken(g: GraphBuilder, path: string, tokens: string): string {
  const first = g.op('Slice', `${path}.first`, [tokens], { axis: 1, start: 0, end: 1 });
  return g.op('Flatten', `${path}.token`, [first], {});
}

/**
 * Dynamic ReLU (arXiv 2003.10027) by the first token: max(a · x, b · x) with a in 0 … 2 and b in −1 … 1 for every channel, from two
 * linear layers and a hard sigmoid. The authors' code has the slopes alone, no intercepts.
 */
export function tokenRelu(g: GraphBuilder, path: string, x: string, channels: number, tokens: string): string {
  const hidden = linearLayer(g, `${path}.hyper.0`, firstToken(g, path, tokens), [TOKEN, TOKEN / 4]);
  const theta = linearLayer(g, `${path}.hyper.2`, g.op('Relu', `${path}.relu`, [hidden], {}), [
    TOKEN / 4,
    2 * channels,
  ]);
  const gates = g.split(`${path}.split`, g.op('HardSigmoid', `${path}.gate`, [theta], {}), [channels, channels]);
  const lines = gates.map((gate, k) => {
    const slope = g.op('Affine', `${path}.slope${k + 1}`, [gate], { alpha: 2, beta: -k });
    const factor = g.op('Reshape', `${path}.factor${k + 1}`, [slope], { shape: [0, channels, 1, 1] });
    return g.op('Mul', `${path}.line${k + 1}`, [x, factor], {});
  });
  return g.op('Max', path, lines, {});
}

import { convAttrs, type GraphBuilder } from '../graph/build.ts';

/** Channels between the two convolutions of SE: C/16 rounded to `divisor` (timm's make_divisible); 1 truncates as Apple. */
export function seChannels(channels: number, divisor: number): number {
  if (divisor === 1) return Math.max(1, Math.floor(channels / 16));
  return Math.max(divisor, Math.floor((channels / 16 + divisor / 2) / divisor) * divisor);
}

/** Squeeze-and-excite's gates `[N, C, 1, 1]` of `[N, C, H, W]`: pool, conv, ReLU, conv, sigmoid. */
export function seGate(g: GraphBuilder, path: string, x: string, channels: number, reduced: number): string {
  const pooled = g.op('GlobalAveragePool', `${path}.pool`, [x], {});
  const squeezed = g.conv(`${path}.fc1`, pooled, reduced, channels, convAttrs(1));
  const activated = g.op('Relu', `${path}.act`, [squeezed], {});
  const expanded = g.conv(`${path}.fc2`, activated, channels, reduced, convAttrs(1));
  return g.op('Sigmoid', `${path}.gate`, [expanded], {});
}

/** Squeeze-and-excite on `[N, C, H, W]`: x times its gates (paper §3.2, S4 only). */
export function seBlock(g: GraphBuilder, path: string, x: string, channels: number, reduced: number): string {
  return g.op('Mul', path, [x, seGate(g, path, x, channels, reduced)], {});
}

import type { Graph } from '../../graph/graph.ts';
import { type Four, mobileOne, VARIANTS } from '../mobileone.ts';

/**
 * The micro variants of MobileOne (paper, Table 13). Their layers are not published: these depths and widths are our reconstruction,
 * found by their parameters and multiply-adds. Not Apple's specification.
 */
export const MICRO: Readonly<Record<'u0' | 'u1' | 'u2', { readonly depths: Four; readonly widths: Four }>> = {
  u0: { depths: [2, 8, 6, 1], widths: [0.5, 0.5, 0.5, 0.75] },
  u1: { depths: [2, 6, 8, 1], widths: [0.75, 0.75, 0.75, 1] },
  u2: { depths: [2, 6, 8, 1], widths: [0.75, 1, 1, 1] },
};

/** A micro variant in its train form, with as many branches as S0. */
export function microMobileOne(name: keyof typeof MICRO): Graph {
  return mobileOne({ ...VARIANTS.s0, ...MICRO[name] }, { name: `mobileone_${name}` });
}

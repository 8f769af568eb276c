/** What is published beside the study of scaling. */
import type { Variant } from '../models/mobileone.ts';

/** Blocks of the paper's Table 7 by our parts: its stages 4 and 5 are one stage of the released code, its stage 1 is the stem. */
export const TABLE_7: readonly { readonly stages: string; readonly input: number; readonly blocks: number }[] = [
  { stages: '1', input: 224, blocks: 1 },
  { stages: '2', input: 112, blocks: 2 },
  { stages: '3', input: 56, blocks: 8 },
  { stages: '4 and 5', input: 28, blocks: 10 },
  { stages: '6', input: 14, blocks: 1 },
];

/** Images a second on an RTX 4090 (AMP, NCHW), timm's results: train form on torch 2.4, fused on torch 2.9.1. */
export const TIMM_RTX_4090: Readonly<Record<Variant, { readonly unfused: number; readonly fused: number }>> = {
  s0: { unfused: 3552, fused: 18891 },
  s1: { unfused: 4717, fused: 11177 },
  s2: { unfused: 3860, fused: 8980 },
  s3: { unfused: 3179, fused: 7352 },
  s4: { unfused: 2362, fused: 5170 },
};

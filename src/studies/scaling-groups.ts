/** Layers by what they are. */
import { type CountedLayer, PARTS, partOf } from './scaling-nets.ts';
import type { LayerOf } from './scaling-times.ts';

/** What layers are, for the share of each. */
export function layerGroup({ layer: { kind, nodes }, name }: CountedLayer): string {
  const part = partOf(nodes[0]);
  if (kind === 'Preprocess') return 'call and image';
  if (part === 0) return 'stem';
  if (part === PARTS.length - 1) return 'head';
  // Behind squeeze-and-excite the ReLU can't be fused and is a layer of its own.
  if (name.includes('.attn') || kind === 'Relu') return 'squeeze-excite';
  return kind.includes('depthwise') ? 'depthwise' : 'pointwise';
}

export const LAYER_GROUPS = ['call and image', 'stem', 'depthwise', 'pointwise', 'squeeze-excite', 'head'] as const;

/** Milliseconds by what the layers are. */
export function groupTimes(layers: readonly LayerOf[], net: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { net: own, counted, time } of layers) {
    if (own !== net || !time) continue;
    const group = layerGroup(counted);
    sums[group] = (sums[group] ?? 0) + time.mean;
  }
  return sums;
}

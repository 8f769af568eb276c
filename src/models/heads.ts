import type { GraphBuilder } from '../graph/build.ts';

/** Global average pool and flatten: features `[N, C, H, W]` → `[N, C]`. */
export function pooledFeatures(g: GraphBuilder, path: string, x: string): string {
  const pooled = g.op('GlobalAveragePool', `${path}.global_pool`, [x], {});
  return g.op('Flatten', `${path}.flatten`, [pooled], {});
}

/** Global average pool, flatten and a linear layer: features `[N, C, H, W]` → logits `[N, num_classes]`. */
export function classifierHead(g: GraphBuilder, path: string, x: string, channels: number, classes: number): string {
  const flat = pooledFeatures(g, path, x);
  const params = { weight: `${path}.fc.weight`, bias: `${path}.fc.bias` };
  g.declare({
    [params.weight]: { shape: [classes, channels], role: 'weight' },
    [params.bias]: { shape: [classes], role: 'bias' },
  });
  return g.op('Gemm', `${path}.fc`, [flat], {}, params);
}

/** The engines that golden cases run on. */
import type { Engine } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';

export interface GoldenEngine {
  readonly name: string;
  readonly open: () => Promise<Engine>;
  /** Relative to the largest value of the tensor. */
  readonly tolerance: number;
  /** Whether it computes in float32, so that a case's conditioning counts. */
  readonly float32: boolean;
}

export const GOLDEN_ENGINES: readonly GoldenEngine[] = [
  { name: 'reference', open: async () => createReferenceEngine(), tolerance: 1e-6, float32: false },
  ...(['wide', 'relaxed', 'baseline'] as const).flatMap((simd) =>
    [1, 2].map((threads) => ({
      name: `wasm ${simd}, ${threads} thread${threads > 1 ? 's' : ''}`,
      open: () => nodeWasmEngine({ simd, threads }),
      tolerance: 1e-4,
      float32: true,
    })),
  ),
];

/**
 * Which GEMM tile is faster here: 6 × 8 needs 15 vector registers, and some versions of V8 spill it.
 * Decided by timing both for a few milliseconds, never by a version number.
 */
import * as op from '../../../kernels/opcodes.ts';
import { encode, makeEmitter } from './emitter.ts';
import { planMemory } from './memory.ts';
import type { KernelExports } from './platform.ts';

const ROUNDS = 5;
const [ROWS, K, N] = [192, 128, 128];

/** Times both tiles on a small product and returns the rows of the faster one. */
export function fasterTile(instantiate: (memory: WebAssembly.Memory) => KernelExports): 4 | 6 {
  const { emitter, finish } = makeEmitter(1);
  const [x, w, y] = [emitter.persistent(ROWS * K), emitter.persistent(K * N), emitter.persistent(ROWS * N)];
  emitter.emit(op.GEMM, x, K, w, emitter.zeros(N), y, N, ROWS, K, N, 1);
  const { main, buffers } = finish();
  const { total } = planMemory(buffers);
  const pages = Math.ceil((total + 4096) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  encode(main, memory.buffer, total);
  const kernels = instantiate(memory);
  const best = { 4: Number.POSITIVE_INFINITY, 6: Number.POSITIVE_INFINITY };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const tile of [4, 6] as const) {
      kernels.setTile(tile);
      const start = performance.now();
      kernels.run(total, 1, 0, 1);
      if (round > 0) best[tile] = Math.min(best[tile], performance.now() - start);
    }
  }
  return best[6] <= best[4] ? 6 : 4;
}

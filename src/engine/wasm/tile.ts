/** Which build and tile of the matrix kernels is fastest here: decided by timing for a few milliseconds, never by a version number. */
import * as op from '../../../kernels/opcodes.ts';
import { encode, makeEmitter } from './emitter.ts';
import { planMemory } from './memory.ts';
import type { KernelExports } from './platform.ts';

export interface Candidate<K> {
  readonly kernels: K;
  /** Rows of the tile. */
  readonly tile: number;
  /** The kernels on a memory, with this tile set. */
  instantiate(memory: WebAssembly.Memory): KernelExports;
}

const ROUNDS = 5;
const [ROWS, K, N] = [192, 128, 128];

/** Times all candidates in turn on a small product and returns the fastest; of equals the first. */
export function fastest<K>(candidates: readonly Candidate<K>[]): Candidate<K> {
  if (candidates.length === 1) return candidates[0]!;
  const { emitter, finish } = makeEmitter(1);
  const [x, w, y] = [emitter.persistent(ROWS * K), emitter.persistent(K * N), emitter.persistent(ROWS * N)];
  emitter.emit(op.GEMM, x, K, w, emitter.zeros(N), y, N, ROWS, K, N, 1);
  const { main, buffers } = finish();
  const { total } = planMemory(buffers);
  const pages = Math.ceil((total + 4096) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  encode(main, memory.buffer, total);
  const runs = candidates.map((candidate) => ({
    candidate,
    best: Number.POSITIVE_INFINITY,
    ...candidate.instantiate(memory),
  }));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const run of runs) {
      const start = performance.now();
      run.run(total, 1, 0, 1);
      if (round > 0) run.best = Math.min(run.best, performance.now() - start);
    }
  }
  return runs.reduce((a, b) => (b.best < a.best ? b : a)).candidate;
}

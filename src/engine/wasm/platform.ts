/** What the wasm engine needs from its surroundings: compiled kernels and threads. Implemented by `node.ts` and `web.ts`. */
import type { OpTable } from '../../graph/shape-rules.ts';
import type { Rules } from './lower/inference-rules.ts';

/** Exports of the kernel module (kernels/main.ts). */
export interface KernelExports {
  /** Executes `count` instructions at `list` as thread `tid` of `threads`. 1: done. 0: other threads are late, call `resume`. */
  readonly run: (list: number, count: number, tid: number, threads: number) => number;
  /** Goes on with a run whose other threads were late; returns as `run` does. */
  readonly resume: () => number;
  /** Chooses the rows of the GEMM tile: 6 or 4. */
  readonly setTile: (rows: number) => void;
}

/** Threads waiting on one memory. */
export interface Runner {
  /**
   * Runs an instruction list on all threads and returns when it is done; a promise of that if another thread keeps the caller waiting.
   * Throws, or rejects, with a UserError if a thread is gone.
   */
  run(list: number, count: number): void | Promise<void>;
  dispose(): Promise<void>;
}

export interface Kernels {
  /** Shapes of the op kinds that these kernels have instructions for: all, or those of inference. */
  readonly ops: OpTable;
  /** How those kinds become instructions. */
  readonly rules: Rules;
  /** E.g. `relaxed SIMD (fused multiply-add), 128 bit`. */
  readonly description: string;
  /** E.g. `6×8 tile`. */
  readonly tuning: string;
  /** Why there can be no second thread here; left out where there can. */
  readonly obstacle?: string;
  start(memory: WebAssembly.Memory, threads: number): Promise<Runner>;
}

/** Byte addresses of the control block: arrivals and generation of the barrier, the flag of a run given up, the command cell. */
export const CONTROL = { arrived: 64, generation: 128, aborted: 192, command: 256, list: 260, count: 264 } as const;

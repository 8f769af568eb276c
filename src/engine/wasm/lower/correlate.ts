/** Products over positions, aᵀ · b: weight gradients, moments and curvature. */
import * as op from '../../../../kernels/opcodes.ts';
import type { Emitter } from '../emitter.ts';
import type { Ref } from '../memory.ts';

export interface Correlation {
  /** `[rows, Ca]` */
  readonly a: Ref;
  /** `[rows, Cb]` */
  readonly b: Ref;
  readonly rows: number;
  readonly Ca: number;
  readonly Cb: number;
  /** Only the upper triangle is needed (a and b are the same, or give a symmetric product). */
  readonly upper?: boolean;
  /** Take the column sums of a too. */
  readonly sums?: boolean;
}

/** From so many columns on, packing blocks of rows pays (measured, docs/log.md). */
const PACKED_COLUMNS = 256;
/** Rows of a packed block (kernels/dense.ts). */
const PACKED_ROWS = 128;

/** Emits the product; returns every thread's part of it (`[threads, Ca, Cb]`), and of the sums (`[threads, Ca]`, or 0). */
export function emitCorrelate(emitter: Emitter, correlation: Correlation): { partial: Ref; sums: Ref | 0 } {
  const { a, b, rows, Ca, Cb, upper = false } = correlation;
  const nt = emitter.threads;
  const partial = emitter.scratch(nt * Ca * Cb);
  const sums = correlation.sums ? emitter.scratch(nt * Ca) : 0;
  const packed = Math.min(Ca, Cb) >= PACKED_COLUMNS;
  const pack = packed ? emitter.scratch(nt * (Ca + Cb + 8) * PACKED_ROWS) : 0;
  emitter.emit(op.CORRELATE, a, b, partial, sums, emitter.scratch(nt * Ca * Cb), rows, Ca, Cb, Number(upper), pack);
  return { partial, sums };
}

/** Buffers of a program, and where they live: transient ones share memory when their lifetimes do not meet. */

/** A region of memory. `first` and `last` are indices of the instructions that touch it; persistent ones live always. */
export interface Buffer {
  readonly bytes: number;
  readonly persistent: boolean;
  first: number;
  last: number;
  address: number;
}

/** A place inside a buffer. */
export interface Ref {
  readonly buffer: Buffer;
  readonly offset: number;
}

/** Byte alignment of every buffer: a cache line. */
const ALIGNMENT = 64;
/** The control block of the threads (see kernels/main.ts) comes first. */
const CONTROL_BYTES = 1024;
export const MAX_MEMORY_BYTES: number = 65536 * 65536;

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export function makeBuffer(bytes: number, persistent: boolean): Buffer {
  return { bytes: align(bytes), persistent, first: Number.POSITIVE_INFINITY, last: -1, address: -1 };
}

/** A place `offset` bytes further on. */
export function refAt(ref: Ref, offset: number): Ref {
  return { buffer: ref.buffer, offset: ref.offset + offset };
}

/** Marks a buffer as used by instruction `index`. */
export function touch(buffer: Buffer, index: number): void {
  buffer.first = Math.min(buffer.first, index);
  buffer.last = Math.max(buffer.last, index);
}

/**
 * Gives every buffer its address: persistent ones one after the other, transient ones behind them, largest first, each
 * at the lowest place that is free for its whole lifetime.
 */
export function planMemory(buffers: readonly Buffer[]): { persistent: number; transient: number; total: number } {
  let top = CONTROL_BYTES;
  for (const buffer of buffers) {
    if (!buffer.persistent) continue;
    buffer.address = top;
    top += buffer.bytes;
  }
  const persistent = top;
  const placed: Buffer[] = [];
  let end = top;
  const transient = buffers.filter((buffer) => !buffer.persistent && buffer.last >= 0);
  for (const buffer of transient.toSorted((a, b) => b.bytes - a.bytes)) {
    let address = persistent;
    for (const other of placed) {
      // `placed` is kept sorted by address, so the first gap that is large enough wins.
      if (other.last < buffer.first || other.first > buffer.last) continue;
      if (other.address - address >= buffer.bytes) break;
      address = Math.max(address, other.address + other.bytes);
    }
    buffer.address = address;
    end = Math.max(end, address + buffer.bytes);
    const at = placed.findIndex((other) => other.address > address);
    placed.splice(at < 0 ? placed.length : at, 0, buffer);
  }
  return { persistent, transient: end - persistent, total: end };
}

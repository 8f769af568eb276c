/** Collects instructions and buffers while a graph is lowered; `encode` writes them down once addresses are known. */
import { INSTRUCTION_WORDS } from '../../../kernels/opcodes.ts';
import { type Buffer, makeBuffer, type Ref, touch } from './memory.ts';

/** An argument: an integer, a float, or a place in memory. */
export type Arg = number | { readonly float: number } | Ref;

export interface Instruction {
  readonly opcode: number;
  readonly args: readonly Arg[];
}

export interface Emitter {
  readonly threads: number;
  /** Bytes of all transient buffers made so far. */
  readonly transientBytes: number;
  /** Number of instructions so far. */
  readonly position: number;
  /** Appends an instruction to the program. */
  emit(opcode: number, ...args: Arg[]): void;
  /** Appends an instruction that runs only after parameters were written (packing, folding). Its buffers persist. */
  prepare(opcode: number, ...args: Arg[]): void;
  /** A transient buffer of floats. */
  scratch(floats: number): Ref;
  /** A buffer that keeps its content between runs. */
  persistent(floats: number): Ref;
  /** A persistent buffer with fixed content. */
  constant(values: ArrayLike<number>): Ref;
  /** At least `floats` zeros. */
  zeros(floats: number): Ref;
  /** Keeps a transient buffer until the end of the program (outputs). */
  keep(ref: Ref): void;
}

export interface Emitted {
  readonly main: readonly Instruction[];
  readonly preparation: readonly Instruction[];
  readonly buffers: readonly Buffer[];
  readonly constants: readonly { readonly ref: Ref; readonly values: ArrayLike<number> }[];
}

/** Whether an argument is a place in memory. */
export function isRef(arg: Arg): arg is Ref {
  return typeof arg === 'object' && 'buffer' in arg;
}

/** Changes the main instructions of a program before buffers get their lifetimes. */
export type Rewrite = (main: readonly Instruction[]) => readonly Instruction[];

export function makeEmitter(threads: number): { emitter: Emitter; finish: (rewrite?: Rewrite) => Emitted } {
  const main: Instruction[] = [];
  const preparation: Instruction[] = [];
  const buffers: Buffer[] = [];
  const constants: { ref: Ref; values: ArrayLike<number> }[] = [];
  const kept: Buffer[] = [];
  let zeroFloats = 0;
  let transientBytes = 0;
  const zeroBuffer = { ...makeBuffer(0, true) };

  const make = (floats: number, persistent: boolean): Ref => {
    const buffer = makeBuffer(floats * 4, persistent);
    buffers.push(buffer);
    if (!persistent) transientBytes += buffer.bytes;
    return { buffer, offset: 0 };
  };
  const emitter: Emitter = {
    threads,
    get transientBytes() {
      return transientBytes;
    },
    get position() {
      return main.length;
    },
    emit(opcode, ...args) {
      main.push({ opcode, args });
    },
    prepare(opcode, ...args) {
      for (const arg of args) {
        if (isRef(arg) && !arg.buffer.persistent) throw new Error('internal error: a prepared buffer must persist');
      }
      preparation.push({ opcode, args });
    },
    scratch: (floats) => make(floats, false),
    persistent: (floats) => make(floats, true),
    constant(values) {
      const ref = make(values.length, true);
      constants.push({ ref, values });
      return ref;
    },
    zeros(floats) {
      zeroFloats = Math.max(zeroFloats, floats);
      return { buffer: zeroBuffer, offset: 0 };
    },
    keep(ref) {
      kept.push(ref.buffer);
    },
  };
  const finish = (rewrite: Rewrite = (same) => same): Emitted => {
    const final = rewrite(main);
    final.forEach(({ args }, index) => {
      for (const arg of args) if (isRef(arg)) touch(arg.buffer, index);
    });
    for (const buffer of kept) touch(buffer, final.length);
    Object.assign(zeroBuffer, makeBuffer(zeroFloats * 4, true));
    return { main: final, preparation, buffers: [...buffers, zeroBuffer], constants };
  };
  return { emitter, finish };
}

/** The address of a place, once memory is planned. */
export function addressOf(ref: Ref): number {
  return ref.buffer.address + ref.offset;
}

/** Writes instructions as 32-bit words at `address`. */
export function encode(instructions: readonly Instruction[], memory: ArrayBufferLike, address: number): void {
  const ints = new Int32Array(memory, address, instructions.length * INSTRUCTION_WORDS);
  const floats = new Float32Array(memory, address, ints.length);
  instructions.forEach(({ opcode, args }, i) => {
    const at = i * INSTRUCTION_WORDS;
    if (args.length >= INSTRUCTION_WORDS)
      throw new Error(`internal error: opcode ${opcode} has ${args.length} arguments`);
    ints[at] = opcode;
    args.forEach((arg, j) => {
      if (typeof arg === 'number') ints[at + 1 + j] = arg;
      else if (isRef(arg)) ints[at + 1 + j] = addressOf(arg);
      else floats[at + 1 + j] = arg.float;
    });
  });
}

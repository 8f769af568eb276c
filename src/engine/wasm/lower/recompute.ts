/**
 * Trades time for memory: depthwise outputs are made again in the backward pass instead of being kept for it. One costs
 * its forward convolution with the kernel that is folded already (about 2 % of a step all together), and the outputs are
 * nearly half of what is kept. The copies hold the same bits.
 */
import * as op from '../../../../kernels/opcodes.ts';
import { type Arg, type Instruction, isRef } from '../emitter.ts';
import type { Buffer, Ref } from '../memory.ts';

/** Places of input and output among the arguments of DW_FORWARD. */
const [INPUT, OUTPUT] = [0, 3];

const uses = ({ args }: Instruction, buffer: Buffer): boolean =>
  args.some((arg) => isRef(arg) && arg.buffer === buffer);

/** The instruction with one buffer in place of another. */
function redirect({ opcode, args }: Instruction, from: Buffer, to: Buffer): Instruction {
  const moved = (arg: Arg): Arg => (isRef(arg) && arg.buffer === from ? { buffer: to, offset: arg.offset } : arg);
  return { opcode, args: args.map(moved) };
}

/**
 * Rewrites a program whose backward pass begins at instruction `backward`: each of the buffers `outputs`, written by a
 * depthwise forward convolution and by nothing else, is written once more before the first instruction of the backward
 * pass that reads it, into a buffer of its own (`scratch`), which the rest reads instead. What the backward pass does not
 * read stays as it is, and so does what would keep its input alive for nothing but this.
 */
export function recomputeDepthwise(
  main: readonly Instruction[],
  backward: number,
  outputs: ReadonlySet<Buffer>,
  scratch: (floats: number) => Ref,
): Instruction[] {
  const before = main.slice(0, backward);
  let after = main.slice(backward);
  const makers = before.filter(
    ({ opcode, args }) => opcode === op.DW_FORWARD && outputs.has((args[OUTPUT] as Ref).buffer),
  );
  // Last first: a copy may itself read an output that is made again.
  for (const maker of makers.toReversed()) {
    const [input, output] = [(maker.args[INPUT] as Ref).buffer, (maker.args[OUTPUT] as Ref).buffer];
    const first = after.findIndex((instruction) => uses(instruction, output));
    if (first < 0 || !(input.persistent || after.slice(first).some((instruction) => uses(instruction, input))))
      continue;
    const copy = scratch(output.bytes / 4).buffer;
    const rest = [maker, ...after.slice(first)].map((instruction) => redirect(instruction, output, copy));
    after = [...after.slice(0, first), ...rest];
  }
  return [...before, ...after];
}

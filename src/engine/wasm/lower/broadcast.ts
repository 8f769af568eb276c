/** Add, Mul and Max, of values of the same shape or of others. */
import * as kinds from '../../../../kernels/broadcast-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import {
  floats,
  inputOf,
  inputToOverwrite,
  type LowerContext,
  makeOutput,
  refuse,
  rows,
  type Value,
} from './context.ts';

type Combining = NodeOf<'Add'> | NodeOf<'Mul'> | NodeOf<'Max'>;

const OPERATIONS = {
  Add: { same: op.ADD, broadcast: kinds.ADD },
  Mul: { same: op.MUL, broadcast: kinds.MUL },
  Max: { same: op.MAX, broadcast: kinds.MAX },
} as const;

const sameShape = (a: Value, b: Value): boolean => a.n === b.n && a.h === b.h && a.w === b.w && a.c === b.c;

/** How many rows of `a`, one after the other, share a row of `b`; undefined where b does not lie so. */
function sharedRows(a: Value, b: Value): number | undefined {
  if (rows(b) === 1) return rows(a);
  if (b.n !== a.n) return undefined;
  if (b.h * b.w === 1) return a.h * a.w;
  return b.h === a.h && b.w === a.w ? 1 : undefined;
}

/** Whether all inputs of a node but one are smaller in one of the ways that BROADCAST knows, and lie as usual. */
export function isBroadcast(context: LowerContext, node: Combining): boolean {
  const { shapes, values } = context;
  const out = shapes.get(node.outputs[0]!)!;
  const whole = node.inputs.find((name) => String(shapes.get(name)) === String(out));
  const a = whole === undefined ? undefined : values.get(whole);
  return (
    a !== undefined &&
    node.inputs.every((name) => {
      const b = values.get(name);
      if (!b || shapes.get(name)!.length !== out.length) return false;
      return sameShape(a, b) || (sharedRows(a, b) !== undefined && (b.c === 1 || b.c === a.c));
    })
  );
}

/** y = a ∘ b, where a has the shape of y. */
function combine(context: LowerContext, node: Combining, a: Value, b: Value, y: Value): void {
  const { same, broadcast } = OPERATIONS[node.kind];
  if (sameShape(a, b)) {
    context.emitter.emit(same, a.ref, b.ref, y.ref, floats(y));
    return;
  }
  const shared = sharedRows(a, b);
  const one = b.c === 1 && a.c > 1;
  if (shared === undefined || !(one || b.c === a.c)) refuseShapes(node);
  if (node.kind === 'Mul' && !one && b.n === a.n && b.h * b.w === 1) {
    context.emitter.emit(op.MUL_CHANNELS, a.ref, b.ref, y.ref, a.n, a.h * a.w, a.stride);
    return;
  }
  const clears = one && node.kind !== 'Mul' && a.c < a.stride;
  const sizes = [rows(a), a.stride, broadcast, shared, b.stride, Number(one), clears ? a.c : 0];
  context.emitter.emit(op.BROADCAST, a.ref, b.ref, y.ref, ...sizes);
}

function refuseShapes(node: Combining): never {
  refuse(node, 'takes [N, C, H, W] with the same shape, [N, C, 1, 1], [N, 1, H, W], [N, 1, 1, 1] or [1, C, 1, 1] only');
}

/** The largest input with each of the others, in place of an input where that is free. */
export function lowerBroadcast(context: LowerContext, node: Combining): void {
  const [name] = node.outputs as [string];
  const values = node.inputs.map((_, index) => inputOf(context, node, index));
  const shape = context.shapes.get(name)!;
  const whole = node.inputs.findIndex((input) => String(context.shapes.get(input)) === String(shape));
  // Of fewer dimensions are those on the right, which lie elsewhere in memory.
  if (whole < 0 || node.inputs.some((input) => context.shapes.get(input)!.length < shape.length)) refuseShapes(node);
  const a = values[whole]!;
  const others = values.filter((_, index) => index !== whole);
  const y = makeOutput(context, name, others.length > 1 ? undefined : inputToOverwrite(context, node, floats(a)));
  if (!others.length) combine(context, node, a, a, y);
  others.forEach((b, i) => {
    combine(context, node, i ? y : a, b, y);
  });
}

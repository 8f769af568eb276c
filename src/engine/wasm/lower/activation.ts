/** Activations, each in one pass; where an activation makes something of zero, the padding is set back to zero. */
import * as kinds from '../../../../kernels/activation-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import type { Node, NodeOf } from '../../../graph/graph.ts';
import type { OpKind } from '../../../graph/kinds.ts';
import { floats, inputOf, inputToOverwrite, type LowerContext, makeOutput, rows } from './context.ts';

interface Bounds {
  readonly least: number;
  readonly most: number;
  /** Whether the activation of zero is zero. */
  readonly keepsZero: boolean;
}

const NOT_ZERO_AT_ZERO: readonly number[] = [kinds.SIGMOID, kinds.HARD_SIGMOID];

/** Emits an activation, in place of its input where that is free. */
export function activate(context: LowerContext, node: Node, which: number, bounds: Bounds): void {
  const x = inputOf(context, node, 0);
  const { stride, c } = x;
  const y = makeOutput(context, node.outputs[0]!, inputToOverwrite(context, node, floats(x)));
  const clears = !bounds.keepsZero && c < stride;
  const { least, most } = bounds;
  const limits = [{ float: least }, { float: most }] as const;
  context.emitter.emit(op.ACTIVATE, x.ref, y.ref, rows(x), stride, c, which, ...limits, Number(clears));
}

/** The rule of an activation without attributes. */
export const activation =
  (which: number) =>
  (context: LowerContext, node: NodeOf<OpKind>): void =>
    activate(context, node as Node, which, { least: 0, most: 0, keepsZero: !NOT_ZERO_AT_ZERO.includes(which) });

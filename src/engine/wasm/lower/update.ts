/** Optimizer and EMA as few instructions over runs of neighbouring parameters. */
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { Ref } from '../memory.ts';
import type { LowerContext } from './context.ts';
import { inputOf } from './context.ts';

interface Run {
  readonly first: string;
  floats: number;
  readonly decay: boolean;
}

/** Joins parameters that lie one after the other (and decay alike) into runs. */
function runsOf(context: LowerContext, params: readonly { param: string; decay: boolean }[]): Run[] {
  const slots = context.state.slots;
  const sorted = params.toSorted((a, b) => {
    const [x, y] = [slots.get(a.param)!, slots.get(b.param)!];
    return x.region === y.region ? x.offset - y.offset : x.region < y.region ? -1 : 1;
  });
  const runs: Run[] = [];
  let region = '';
  let end = -1;
  for (const { param, decay } of sorted) {
    const slot = slots.get(param)!;
    const last = runs.at(-1);
    if (last && region === slot.region && end === slot.offset && last.decay === decay) last.floats += slot.layout.size;
    else runs.push({ first: param, floats: slot.layout.size, decay });
    region = slot.region;
    end = slot.offset + slot.layout.size;
  }
  return runs;
}

export function lowerSgd(context: LowerContext, node: NodeOf<'Sgd'>): void {
  const { emitter, state } = context;
  const { momentum, nesterov, updates } = node.attrs;
  const [lr, weightDecay] = [inputOf(context, node, 0).ref, inputOf(context, node, 1).ref];
  for (const { first, floats, decay } of runsOf(context, updates)) {
    emitter.emit(
      op.SGD,
      state.refOf(first),
      state.refOf(first, 'grad'),
      state.refOf(first, 'momentum'),
      floats,
      Number(decay),
      lr,
      weightDecay,
      { float: momentum },
      Number(nesterov),
    );
  }
}

export function lowerAdamW(context: LowerContext, node: NodeOf<'AdamW'>): void {
  const { emitter, state } = context;
  const { beta1, beta2, epsilon, updates } = node.attrs;
  const [lr, weightDecay, step] = [0, 1, 2].map((index) => inputOf(context, node, index).ref) as [Ref, Ref, Ref];
  for (const { first, floats, decay } of runsOf(context, updates)) {
    emitter.emit(
      op.ADAMW,
      state.refOf(first),
      state.refOf(first, 'grad'),
      state.refOf(first, 'exp_avg'),
      state.refOf(first, 'exp_avg_sq'),
      floats,
      Number(decay),
      lr,
      weightDecay,
      step,
      { float: 1 - beta1 },
      { float: 1 - beta2 },
      { float: epsilon },
    );
  }
}

export function lowerEma(context: LowerContext, node: NodeOf<'Ema'>): void {
  const decay = inputOf(context, node, 0).ref;
  const params = node.attrs.params.map((param) => ({ param, decay: false }));
  for (const { first, floats } of runsOf(context, params)) {
    context.emitter.emit(op.EMA, context.state.refOf(first, 'ema'), context.state.refOf(first), floats, decay);
  }
}

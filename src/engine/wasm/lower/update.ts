/** Optimizer and EMA as few instructions over runs of neighbouring parameters. */
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { Ref } from '../memory.ts';
import type { LowerContext } from './context.ts';
import { inputOf } from './context.ts';

interface Member {
  readonly param: string;
  readonly decay: boolean;
  readonly lr_scale: number;
}

interface Run {
  readonly first: string;
  floats: number;
  readonly decay: boolean;
  readonly lr_scale: number;
}

/** Parameters of which nothing but their places matters. */
const plain = (params: readonly string[]): Member[] => params.map((param) => ({ param, decay: false, lr_scale: 1 }));

/** Joins parameters that lie one after the other (and are updated alike) into runs. */
function runsOf(context: LowerContext, params: readonly Member[]): Run[] {
  const slots = context.state.slots;
  const sorted = params.toSorted((a, b) => {
    const [x, y] = [slots.get(a.param)!, slots.get(b.param)!];
    return x.region === y.region ? x.offset - y.offset : x.region < y.region ? -1 : 1;
  });
  const runs: Run[] = [];
  let region = '';
  let end = -1;
  for (const { param, decay, lr_scale } of sorted) {
    const slot = slots.get(param)!;
    const last = runs.at(-1);
    const alike = last?.decay === decay && last.lr_scale === lr_scale;
    if (alike && region === slot.region && end === slot.offset) last.floats += slot.layout.size;
    else runs.push({ first: param, floats: slot.layout.size, decay, lr_scale });
    region = slot.region;
    end = slot.offset + slot.layout.size;
  }
  return runs;
}

/** The value that scales every gradient: the node's last input, or 1. */
function gradScale(context: LowerContext, node: NodeOf<'Sgd'> | NodeOf<'AdamW'> | NodeOf<'ClipGradNorm'>): Ref {
  return node.attrs.scaled ? inputOf(context, node, node.inputs.length - 1).ref : context.emitter.constant([1]);
}

export function lowerAccumulateGrad(context: LowerContext, node: NodeOf<'AccumulateGrad'>): void {
  const { emitter, state } = context;
  const keep = inputOf(context, node, 0).ref;
  for (const { first, floats } of runsOf(context, plain(node.attrs.params)))
    emitter.emit(op.ACCUMULATE, state.refOf(first, 'grad_sum'), state.refOf(first, 'grad'), floats, keep);
}

/** Floats of a thread's partial sum: a cache line. */
const LINE = 16;

export function lowerClipGradNorm(context: LowerContext, node: NodeOf<'ClipGradNorm'>): void {
  const { emitter, state } = context;
  const partial = emitter.scratch(LINE * emitter.threads);
  runsOf(context, plain(node.attrs.params)).forEach(({ first, floats }, index) => {
    emitter.emit(op.SUM_SQUARES, state.refOf(first, 'grad'), floats, partial, Number(index > 0));
  });
  const [scale, norm] = node.outputs.map(() => emitter.scratch(1)) as [Ref, Ref];
  emitter.emit(op.CLIP_SCALE, partial, gradScale(context, node), { float: node.attrs.max_norm }, scale, norm);
  [scale, norm].forEach((ref, i) => {
    context.values.set(node.outputs[i]!, { ref, n: 1, c: 1, h: 1, w: 1, stride: 1 });
  });
}

export function lowerSgd(context: LowerContext, node: NodeOf<'Sgd'>): void {
  const { emitter, state } = context;
  const { momentum, nesterov, updates } = node.attrs;
  const [lr, weightDecay] = [inputOf(context, node, 0).ref, inputOf(context, node, 1).ref];
  const scale = gradScale(context, node);
  for (const { first, floats, decay, lr_scale } of runsOf(context, updates)) {
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
      scale,
      { float: lr_scale },
    );
  }
}

export function lowerAdamW(context: LowerContext, node: NodeOf<'AdamW'>): void {
  const { emitter, state } = context;
  const { beta1, beta2, epsilon, updates } = node.attrs;
  const [lr, weightDecay, step] = [0, 1, 2].map((index) => inputOf(context, node, index).ref) as [Ref, Ref, Ref];
  const scale = gradScale(context, node);
  for (const { first, floats, decay, lr_scale } of runsOf(context, updates)) {
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
      scale,
      { float: lr_scale },
    );
  }
}

export function lowerEma(context: LowerContext, node: NodeOf<'Ema'>): void {
  const decay = inputOf(context, node, 0).ref;
  for (const { first, floats } of runsOf(context, plain(node.attrs.params))) {
    context.emitter.emit(op.EMA, context.state.refOf(first, 'ema'), context.state.refOf(first), floats, decay);
  }
}

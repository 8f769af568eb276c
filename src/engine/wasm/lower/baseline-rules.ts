/** How the op kinds of the networks that a MobileOne is compared with become instructions: one table. */
import * as kinds from '../../../../kernels/activation-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import { activate, activation } from './activation.ts';
import { lowerBroadcast } from './broadcast.ts';
import { inputOf, makeOutput, refuse, rows } from './context.ts';
import { lowerMean, type Rules } from './inference-rules.ts';
import { lowerChannelShuffle, lowerConcat, lowerPad, lowerPool, lowerSlice, lowerSplit } from './window.ts';

export const BASELINE_RULES: Rules = {
  Clip: (context, node) => {
    const { min, max } = node.attrs;
    activate(context, node, kinds.CLIP, { least: min, most: max, keepsZero: min <= 0 && max >= 0 });
  },
  HardSigmoid: activation(kinds.HARD_SIGMOID),
  HardSwish: activation(kinds.HARD_SWISH),
  Swish: activation(kinds.SWISH),
  Gelu: activation(kinds.GELU),
  Affine: (context, node) => {
    const { alpha, beta } = node.attrs;
    activate(context, node, kinds.AFFINE, { least: alpha, most: beta, keepsZero: beta === 0 });
  },
  Add: lowerBroadcast,
  Mul: lowerBroadcast,
  Max: lowerBroadcast,
  PRelu: (context, node) => {
    const x = inputOf(context, node, 0);
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.PRELU, x.ref, context.state.refOf(node.params.slope!), y.ref, rows(x), x.stride);
  },
  Concat: lowerConcat,
  Split: lowerSplit,
  Slice: lowerSlice,
  ChannelShuffle: lowerChannelShuffle,
  Pad: lowerPad,
  MaxPool: lowerPool,
  AveragePool: lowerPool,
  ReduceMean: (context, node) => {
    const [first, second, ...others] = node.attrs.axes;
    if (first !== 2 || second !== 3 || others.length) refuse(node, 'takes means over height and width only');
    lowerMean(context, node);
  },
};

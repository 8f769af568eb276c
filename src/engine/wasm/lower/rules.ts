/** How each op kind becomes instructions: one table. */
import * as kinds from '../../../../kernels/activation-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { OpKind } from '../../../graph/kinds.ts';
import { pad8 } from '../layout.ts';
import { activate, activation } from './activation.ts';
import {
  floats,
  fusedRelu,
  inputOf,
  inputToOverwrite,
  type LowerContext,
  makeOutput,
  refuse,
  rows,
  sameSizes,
  type Value,
} from './context.ts';
import { lowerDenseForward, lowerDenseGrad } from './dense.ts';
import { lowerDepthwiseForward, lowerDepthwiseGrad } from './depthwise.ts';
import { isExplicit, lowerExplicitForward, lowerExplicitGrad, prefersExplicit } from './explicit.ts';
import { takesPatches } from './fold.ts';
import { lowerConv, lowerConvGrad, lowerLinear, lowerLinearGrad } from './linear.ts';
import { lowerAccumulateGrad, lowerAdamW, lowerClipGradNorm, lowerEma, lowerSgd } from './update.ts';
import { lowerChannelShuffle, lowerConcat, lowerPad, lowerPool, lowerSlice, lowerSplit } from './window.ts';

type Rule<K extends OpKind> = (context: LowerContext, node: NodeOf<K>) => void;

/** The output is the input under another name. */
function alias(context: LowerContext, output: string, value: Value): void {
  context.values.set(output, value);
}

/** An elementwise op of one or more inputs of the same size, in place of one of them where that is free. */
const elementwise =
  (opcode: number, inputs: readonly number[]): Rule<OpKind> =>
  (context, node) => {
    const values = inputs.map((index) => inputOf(context, node as never, index));
    const refs = values.map(({ ref }) => ref);
    const y = makeOutput(context, node.outputs[0]!, inputToOverwrite(context, node as never, floats(values[0]!)));
    context.emitter.emit(opcode, ...refs, y.ref, floats(y));
  };

/** The mean over the positions of each image. */
function lowerMean(context: LowerContext, node: NodeOf<'GlobalAveragePool'> | NodeOf<'ReduceMean'>): void {
  const x = inputOf(context, node, 0);
  const y = makeOutput(context, node.outputs[0]!);
  context.emitter.emit(op.AVERAGE_POOL, x.ref, y.ref, x.n, x.h * x.w, x.stride);
}

export const RULES: { readonly [K in OpKind]?: Rule<K> } = {
  Preprocess: (context, node) => {
    const image = inputOf(context, node, 0);
    const { mean, std } = node.attrs;
    const scale = context.emitter.constant(std.map((s) => 1 / (255 * s)));
    const shift = context.emitter.constant(std.map((s, i) => -mean[i]! / s));
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.PREPROCESS, image.ref, y.ref, rows(y), y.c, y.stride, scale, shift);
  },
  RepConv: (context, node) => {
    if (node.attrs.groups > 1) lowerDepthwiseForward(context, node);
    else if (prefersExplicit(context, node)) lowerExplicitForward(context, node);
    else lowerDenseForward(context, node);
  },
  RepConvGrad: (context, node) => {
    if (node.attrs.groups > 1) lowerDepthwiseGrad(context, node);
    else if (isExplicit(context, node.attrs.forward)) lowerExplicitGrad(context, node);
    else lowerDenseGrad(context, node);
  },
  Conv: lowerConv,
  ConvGrad: lowerConvGrad,
  Gemm: (context, node) => lowerLinear(context, node, inputOf(context, node, 0)),
  GemmGrad: lowerLinearGrad,
  BatchNormalization: (context, node) => {
    const { emitter, state } = context;
    const x = inputOf(context, node, 0);
    const scale = emitter.persistent(x.stride);
    const shift = emitter.persistent(x.stride);
    const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((role) =>
      state.refOf(node.params[role]!),
    );
    emitter.prepare(op.FOLD_NORM, weight!, bias!, mean!, variance!, scale, shift, x.stride, {
      float: node.attrs.epsilon,
    });
    const y = makeOutput(context, node.outputs[0]!);
    emitter.emit(op.AFFINE, x.ref, scale, shift, y.ref, rows(x), x.stride, Number(fusedRelu(context, node)));
  },
  Relu: (context, node) => {
    const x = inputOf(context, node, 0);
    const maker = context.graph.nodes.find(({ outputs }) => outputs.includes(node.inputs[0]!));
    const fused =
      maker && ['RepConv', 'Conv', 'BatchNormalization', 'Gemm'].includes(maker.kind) && fusedRelu(context, maker);
    if (fused) alias(context, node.outputs[0]!, x);
    else elementwise(op.RELU, [0])(context, node as never);
  },
  Sigmoid: activation(kinds.SIGMOID),
  Clip: (context, node) => {
    const { min, max } = node.attrs;
    activate(context, node, kinds.CLIP, { least: min, most: max, keepsZero: min <= 0 && max >= 0 });
  },
  HardSigmoid: activation(kinds.HARD_SIGMOID),
  HardSwish: activation(kinds.HARD_SWISH),
  Swish: activation(kinds.SWISH),
  Gelu: activation(kinds.GELU),
  PRelu: (context, node) => {
    const x = inputOf(context, node, 0);
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.PRELU, x.ref, context.state.refOf(node.params.slope!), y.ref, rows(x), x.stride);
  },
  Add: (context, node) => {
    if (!sameSizes(context, node)) refuse(node, 'adds tensors of the same shape only');
    elementwise(op.ADD, [0, 1])(context, node as never);
  },
  Mul: (context, node) => {
    if (sameSizes(context, node)) return elementwise(op.MUL, [0, 1])(context, node as never);
    const [a, b] = [inputOf(context, node, 0), inputOf(context, node, 1)].toSorted((p, q) => floats(q) - floats(p)) as [
      Value,
      Value,
    ];
    if (a.n !== b.n || a.c !== b.c || b.h * b.w > 1) refuse(node, 'multiplies by [N, C, 1, 1] or the same shape only');
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.MUL_CHANNELS, a.ref, b.ref, y.ref, a.n, a.h * a.w, a.stride);
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
  MulGrad: (context, node) => {
    const [a, b, dy] = [inputOf(context, node, 0), inputOf(context, node, 1), inputOf(context, node, 2)];
    const da = makeOutput(context, node.outputs[0]!);
    const db = makeOutput(context, node.outputs[1]!);
    if (a.h * a.w === b.h * b.w) {
      context.emitter.emit(op.MUL, dy.ref, b.ref, da.ref, floats(a));
      context.emitter.emit(op.MUL, dy.ref, a.ref, db.ref, floats(a));
    } else {
      context.emitter.emit(op.MUL_CHANNELS_GRAD, a.ref, b.ref, dy.ref, da.ref, db.ref, a.n, a.h * a.w, a.stride);
    }
  },
  GlobalAveragePool: lowerMean,
  GlobalAveragePoolGrad: (context, node) => {
    const dy = inputOf(context, node, 1);
    const dx = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.AVERAGE_POOL_GRAD, dy.ref, dx.ref, dx.n, dx.h * dx.w, dx.stride);
  },
  Flatten: (context, node) => {
    const x = inputOf(context, node, 0);
    if (x.h * x.w > 1) throw new TypeError(`node "${node.name}": the wasm engine flattens [N, C, 1, 1] only`);
    alias(context, node.outputs[0]!, x);
  },
  FlattenGrad: (context, node) => alias(context, node.outputs[0]!, inputOf(context, node, 1)),
  Softmax: (context, node) => {
    const x = inputOf(context, node, 0);
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.SOFTMAX, x.ref, y.ref, x.n, x.c, x.stride);
  },
  SoftmaxCrossEntropyLoss: (context, node) => {
    const { emitter } = context;
    const [logits, target] = [inputOf(context, node, 0), inputOf(context, node, 1)];
    const probabilities = emitter.scratch(floats(logits));
    const losses = emitter.scratch(logits.n);
    const mean = emitter.scratch(1);
    emitter.emit(op.LOSS, logits.ref, target.ref, probabilities, losses, logits.n, logits.c, logits.stride);
    emitter.emit(op.MEAN, losses, mean, logits.n);
    alias(context, node.outputs[0]!, { ref: mean, n: 1, c: 1, h: 1, w: 1, stride: 1 });
    context.saved.set(node.inputs[0]!, probabilities);
  },
  SoftmaxCrossEntropyLossGrad: (context, node) => {
    const [logits, target] = [inputOf(context, node, 0), inputOf(context, node, 1)];
    const dx = makeOutput(context, node.outputs[0]!);
    const probabilities = context.saved.get(node.inputs[0]!) as Value['ref'];
    context.emitter.emit(op.LOSS_GRAD, probabilities, target.ref, dx.ref, logits.n, logits.c, logits.stride);
  },
  BinaryCrossEntropyLoss: (context, node) => {
    const { emitter } = context;
    const [logits, target] = [inputOf(context, node, 0), inputOf(context, node, 1)];
    const losses = emitter.scratch(logits.n);
    const mean = emitter.scratch(1);
    emitter.emit(op.BCE_LOSS, logits.ref, target.ref, losses, logits.n, logits.c, logits.stride);
    emitter.emit(op.MEAN, losses, mean, logits.n);
    alias(context, node.outputs[0]!, { ref: mean, n: 1, c: 1, h: 1, w: 1, stride: 1 });
  },
  BinaryCrossEntropyLossGrad: (context, node) => {
    const [logits, target] = [inputOf(context, node, 0), inputOf(context, node, 1)];
    const dx = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.BCE_GRAD, logits.ref, target.ref, dx.ref, logits.n, logits.c, logits.stride);
  },
  DistillationLoss: (context, node) => {
    const { emitter } = context;
    const [logits, target, teacher] = [0, 1, 2].map((index) => inputOf(context, node, index)) as [Value, Value, Value];
    const { attrs } = node;
    const loss = emitter.scratch(1);
    const dlogits = emitter.scratch(floats(logits));
    const [first, second] = attrs.form === 'soft' ? [attrs.soft, 0] : [attrs.inter, attrs.intra];
    emitter.emit(
      op.DISTILL,
      logits.ref,
      target.ref,
      teacher.ref,
      loss,
      dlogits,
      logits.n,
      logits.c,
      logits.stride,
      { float: attrs.hard },
      { float: attrs.temperature },
      Number(attrs.form === 'dist'),
      { float: first },
      { float: second },
      emitter.scratch(6 * logits.n * logits.c),
    );
    alias(context, node.outputs[0]!, { ref: loss, n: 1, c: 1, h: 1, w: 1, stride: 1 });
    context.saved.set(node.inputs[0]!, dlogits);
  },
  DistillationLossGrad: (context, node) => {
    const dlogits = context.saved.get(node.inputs[0]!) as Value['ref'];
    alias(context, node.outputs[0]!, { ...inputOf(context, node, 0), ref: dlogits });
  },
  ReluGrad: (context, node) => {
    const dy = inputOf(context, node, 1);
    const maker = context.graph.nodes.find(({ outputs }) => outputs.includes(node.inputs[1]!));
    const masks = maker?.kind === 'RepConvGrad' || (maker?.kind === 'ConvGrad' && takesPatches(maker.attrs));
    const masked = masks && maker.inputs[0] === node.inputs[0] && maker.outputs[0] === node.inputs[1];
    if (masked && context.onlyReader(node.inputs[1]!) === node) alias(context, node.outputs[0]!, dy);
    else elementwise(op.RELU_GRAD, [0, 1])(context, node as never);
  },
  SigmoidGrad: elementwise(op.SIGMOID_GRAD, [0, 1]),
  AccumulateGrad: lowerAccumulateGrad,
  ClipGradNorm: lowerClipGradNorm,
  Sgd: lowerSgd,
  AdamW: lowerAdamW,
  Ema: lowerEma,
};

/** Channels of an image value that only feeds dense kernels are left unpadded (their patches are padded instead). */
export function imageStride(readers: readonly { kind: OpKind; attrs: unknown }[], channels: number): number {
  const throughPatches = readers.every(({ kind, attrs }) => {
    if (kind === 'RepConv' || kind === 'RepConvGrad') {
      const { groups, kernel_size } = attrs as { groups: number; kernel_size: number };
      return groups === 1 && kernel_size > 1;
    }
    return (kind === 'Conv' || kind === 'ConvGrad') && (attrs as { group: number }).group === 1;
  });
  return throughPatches ? channels : pad8(channels);
}

/** How each op kind becomes instructions: one table, begun in inference-rules.ts, baseline-rules.ts and token-rules.ts. */
import * as op from '../../../../kernels/opcodes.ts';
import { BASELINE_RULES } from './baseline-rules.ts';
import { floats, inputOf, makeOutput, type Value } from './context.ts';
import { lowerDenseForward, lowerDenseGrad } from './dense.ts';
import { lowerDepthwiseForward, lowerDepthwiseGrad } from './depthwise.ts';
import { isExplicit, lowerExplicitForward, lowerExplicitGrad, prefersExplicit } from './explicit.ts';
import { takesPatches } from './fold.ts';
import { alias, elementwise, INFERENCE_RULES, type Rules } from './inference-rules.ts';
import { lowerConvGrad, lowerLinearGrad } from './linear.ts';
import { withTokens } from './token-rules.ts';
import { lowerAccumulateGrad, lowerAdamW, lowerClipGradNorm, lowerEma, lowerSgd } from './update.ts';

const TRAINING_RULES: Rules = {
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
  ConvGrad: lowerConvGrad,
  GemmGrad: lowerLinearGrad,
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
  GlobalAveragePoolGrad: (context, node) => {
    const dy = inputOf(context, node, 1);
    const dx = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.AVERAGE_POOL_GRAD, dy.ref, dx.ref, dx.n, dx.h * dx.w, dx.stride);
  },
  FlattenGrad: (context, node) => alias(context, node.outputs[0]!, inputOf(context, node, 1)),
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

/** Without spreading, which bundlers keep with all that is spread, in pages too, which need the first table only. */
export const RULES: Rules = /* @__PURE__ */ withTokens(INFERENCE_RULES, BASELINE_RULES, TRAINING_RULES);

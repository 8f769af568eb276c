/** How each op kind of a MobileOne that answers becomes instructions: one table. Those of training are in rules.ts. */
import * as kinds from '../../../../kernels/activation-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { OpKind } from '../../../graph/kinds.ts';
import { pad8 } from '../layout.ts';
import { activation } from './activation.ts';
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
import { lowerConv, lowerLinear } from './linear.ts';

export type Rule<K extends OpKind> = (context: LowerContext, node: NodeOf<K>) => void;

/** The rules of an engine, for every kind that it runs. */
export type Rules = { readonly [K in OpKind]?: Rule<K> };

/** The output is the input under another name. */
export function alias(context: LowerContext, output: string, value: Value): void {
  context.values.set(output, value);
}

/** An elementwise op of one or more inputs of the same size, in place of one of them where that is free. */
export const elementwise =
  (opcode: number, inputs: readonly number[]): Rule<OpKind> =>
  (context, node) => {
    const values = inputs.map((index) => inputOf(context, node as never, index));
    const refs = values.map(({ ref }) => ref);
    const y = makeOutput(context, node.outputs[0]!, inputToOverwrite(context, node as never, floats(values[0]!)));
    context.emitter.emit(opcode, ...refs, y.ref, floats(y));
  };

/** The mean over the positions of each image. */
export function lowerMean(context: LowerContext, node: NodeOf<'GlobalAveragePool'> | NodeOf<'ReduceMean'>): void {
  const x = inputOf(context, node, 0);
  const y = makeOutput(context, node.outputs[0]!);
  context.emitter.emit(op.AVERAGE_POOL, x.ref, y.ref, x.n, x.h * x.w, x.stride);
}

/** Enough for every fused model, and for one whose branches run one by one. */
export const INFERENCE_RULES: Rules = {
  Preprocess: (context, node) => {
    const image = inputOf(context, node, 0);
    const { mean, std } = node.attrs;
    const scale = context.emitter.constant(std.map((s) => 1 / (255 * s)));
    const shift = context.emitter.constant(std.map((s, i) => -mean[i]! / s));
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.PREPROCESS, image.ref, y.ref, rows(y), y.c, y.stride, scale, shift);
  },
  Conv: lowerConv,
  Gemm: (context, node) => lowerLinear(context, node, inputOf(context, node, 0)),
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
  GlobalAveragePool: lowerMean,
  Flatten: (context, node) => {
    const x = inputOf(context, node, 0);
    if (x.h * x.w > 1) throw new TypeError(`node "${node.name}": the wasm engine flattens [N, C, 1, 1] only`);
    alias(context, node.outputs[0]!, x);
  },
  Softmax: (context, node) => {
    const x = inputOf(context, node, 0);
    const y = makeOutput(context, node.outputs[0]!);
    context.emitter.emit(op.SOFTMAX, x.ref, y.ref, x.n, x.c, x.stride);
  },
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

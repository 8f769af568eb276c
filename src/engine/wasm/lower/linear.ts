/** Plain convolutions and linear layers: packed once for inference, in every step for training. */
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import { updatesParameters } from '../../../graph/state.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import { fusedRelu, inputOf, type LowerContext, makeOutput, rows, type Value } from './context.ts';
import { emitCorrelate } from './correlate.ts';
import { patches } from './dense.ts';
import { foldInputGrad, takesPatches } from './fold.ts';
import { rowLength as lengthOfRow } from './layouts.ts';

/** y = x · Wᵀ + b on rows (positions), with ReLU if it follows. */
export function lowerLinear(context: LowerContext, node: NodeOf<'Gemm'> | NodeOf<'Conv'>, x: Value): void {
  const K = x.stride;
  const y = makeOutput(context, node.outputs[0]!);
  const { panels, bias, O } = packedWeights(context, node, y, K, K);
  const relu = Number(fusedRelu(context, node));
  context.emitter.emit(op.GEMM, x.ref, K, panels, bias, y.ref, y.stride, rows(y), K, O, relu);
}

/** The first K columns of a weight's rows as panels: packed once, or in every step of a training program. */
function packedWeights(
  context: LowerContext,
  node: NodeOf<'Gemm'> | NodeOf<'Conv'>,
  y: Value,
  K: number,
  rowLength: number,
): { panels: Ref; bias: Ref; O: number } {
  const { emitter, state } = context;
  const O = pad8(y.c);
  const training = updatesParameters(context.graph);
  const panels = training ? emitter.scratch(O * K) : emitter.persistent(O * K);
  (training ? emitter.emit : emitter.prepare)(op.PACK_ROWS, state.refOf(node.params.weight!), panels, O, K, rowLength);
  const bias = node.params.bias ? state.refOf(node.params.bias) : emitter.zeros(O);
  return { panels, bias, O };
}

/** A dense convolution: a product of the positions if it is pointwise, else row by row over patches. */
function lowerDenseConv(context: LowerContext, node: NodeOf<'Conv'>, x: Value): void {
  const { kernel_shape: kernel, strides, pads, dilations } = node.attrs;
  const taps = kernel[0] * kernel[1];
  if (taps === 1 && strides[0] === 1 && pads.every((pad) => pad === 0) && x.stride % 8 === 0) {
    lowerLinear(context, node, x);
    return;
  }
  const { emitter } = context;
  const y = makeOutput(context, node.outputs[0]!);
  const rowLength = lengthOfRow(taps, x.stride);
  const { panels, bias, O } = packedWeights(context, node, y, taps * x.stride, rowLength);
  emitter.emit(
    op.CONV_ROWS,
    x.ref,
    emitter.scratch(emitter.threads * y.w * rowLength),
    x.n,
    x.h,
    x.w,
    x.stride,
    y.h,
    y.w,
    ...kernel,
    strides[0],
    pads[0],
    pads[1],
    dilations[0],
    rowLength,
    taps * x.stride,
    panels,
    bias,
    y.ref,
    y.stride,
    O,
    Number(fusedRelu(context, node)),
  );
}

/** dW = dyᵀ · rows and db = Σ dy, where `rows` [P, K] is what the weight was multiplied with. */
function emitParameterGrads(
  context: LowerContext,
  node: NodeOf<'GemmGrad'> | NodeOf<'ConvGrad'>,
  columns: Ref,
  K: number,
): void {
  const { emitter, state } = context;
  const dy = inputOf(context, node, 1);
  const [O, P] = [dy.stride, rows(dy)];
  const { partial, sums } = emitCorrelate(emitter, { a: dy.ref, b: columns, rows: P, Ca: O, Cb: K, sums: true });
  emitter.emit(op.REDUCE_SUM, partial, state.refOf(node.params.weight!, 'grad'), O * K);
  if (node.params.bias) emitter.emit(op.REDUCE_SUM, sums, state.refOf(node.params.bias, 'grad'), O);
}

/** out [P, K] = dy · W */
function emitRowsGrad(context: LowerContext, node: NodeOf<'GemmGrad'> | NodeOf<'ConvGrad'>, out: Ref, K: number): void {
  const { emitter, state } = context;
  const dy = inputOf(context, node, 1);
  const O = dy.stride;
  const panels = emitter.scratch(O * K);
  emitter.emit(op.PACK_COLUMNS, state.refOf(node.params.weight!), panels, O, K);
  emitter.emit(op.GEMM, dy.ref, O, panels, emitter.zeros(K), out, K, rows(dy), O, K, 0);
}

/** dW = dyᵀ · x, db = Σ dy, dx = dy · W. */
export function lowerLinearGrad(context: LowerContext, node: NodeOf<'GemmGrad'> | NodeOf<'ConvGrad'>): void {
  const x = inputOf(context, node, 0);
  emitParameterGrads(context, node, x.ref, x.stride);
  if (node.attrs.needsInputGrad) emitRowsGrad(context, node, makeOutput(context, node.outputs[0]!).ref, x.stride);
}

/** Of a dense convolution, over its patches; they are made again, since keeping them would cost a kernel's area times x. */
export function lowerConvGrad(context: LowerContext, node: NodeOf<'ConvGrad'>): void {
  const { attrs } = node;
  if (attrs.group > 1)
    throw new TypeError(
      `node "${node.name}": the wasm engine has no gradient of a plain convolution in groups, which here are ${attrs.group}`,
    );
  const [x, dy] = [inputOf(context, node, 0), inputOf(context, node, 1)];
  const { kernel_shape: kernel, strides, pads, dilations } = attrs;
  const window = { kernel, stride: strides[0], top: pads[0], left: pads[1], dilation: dilations[0] };
  const { ref: columns, K } = patches(context, x, dy, window);
  emitParameterGrads(context, node, columns, K);
  if (!attrs.needsInputGrad) return;
  if (takesPatches(attrs)) foldInputGrad(context, node, K, window, (out) => emitRowsGrad(context, node, out, K));
  else emitRowsGrad(context, node, makeOutput(context, node.outputs[0]!).ref, K);
}

/** A convolution by its cheapest kernel: pointwise product, depthwise rows, or patches and a product. */
export function lowerConv(context: LowerContext, node: NodeOf<'Conv'>): void {
  const { emitter, state } = context;
  const { kernel_shape: kernel, strides, pads, dilations, group } = node.attrs;
  if (strides[0] !== strides[1] || dilations[0] !== dilations[1]) {
    throw new TypeError(`node "${node.name}": the wasm engine needs equal strides and dilations on both axes`);
  }
  const x = inputOf(context, node, 0);
  const [top, left] = pads;
  const [stride, dilation] = [strides[0], dilations[0]];
  if (group === 1) {
    lowerDenseConv(context, node, x);
    return;
  }
  if (group !== x.c)
    throw new TypeError(
      `node "${node.name}": the wasm engine runs dense and depthwise convolutions, not ${group} groups of ${x.c} channels`,
    );
  const y = makeOutput(context, node.outputs[0]!);
  if (y.c !== x.c)
    throw new TypeError(
      `node "${node.name}": the wasm engine runs depthwise convolutions with one output a channel only`,
    );
  const weight = state.refOf(node.params.weight!);
  const bias = node.params.bias ? state.refOf(node.params.bias) : emitter.zeros(y.stride);
  const relu = Number(fusedRelu(context, node));
  const same = kernel[0] === 3 && kernel[1] === 3 && stride <= 2 && dilation === 1 && pads.every((pad) => pad === 1);
  if (same) {
    emitter.emit(op.DW_FORWARD, x.ref, weight, bias, y.ref, x.n, x.h, x.w, x.stride, stride, relu);
  } else {
    emitter.emit(
      op.DW_ANY,
      x.ref,
      weight,
      bias,
      y.ref,
      x.n,
      x.h,
      x.w,
      x.stride,
      y.h,
      y.w,
      kernel[0],
      kernel[1],
      stride,
      top,
      left,
      dilation,
      relu,
    );
  }
}

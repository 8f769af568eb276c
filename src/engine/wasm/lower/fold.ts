/** Gradients of convolutions that see their input as patches: back from patches to pixels. */
import * as op from '../../../../kernels/opcodes.ts';
import type { Node } from '../../../graph/graph.ts';
import type { ConvAttrs } from '../../../graph/kinds.ts';
import type { Ref } from '../memory.ts';
import { fusedReluGrad, inputOf, type LowerContext, makeOutput, rows } from './context.ts';

/** A square stride and dilation over any kernel. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly top: number;
  readonly left: number;
  readonly dilation: number;
}

/** Whether the rows of a convolution's product are patches, and not the pixels themselves. */
export function takesPatches({ kernel_shape, strides, pads }: ConvAttrs): boolean {
  return kernel_shape[0] * kernel_shape[1] * strides[0] * strides[1] > 1 || pads.some((pad) => pad > 0);
}

/**
 * The input gradient of a gradient node (x, dy): `emitPatches` writes the gradient of the patches `[P, K]`, which are
 * then added up where they overlap, masked if a ReluGrad follows.
 */
export function foldInputGrad(
  context: LowerContext,
  node: Node,
  K: number,
  { kernel, stride, top, left, dilation }: Window,
  emitPatches: (patches: Ref) => void,
): void {
  const { emitter } = context;
  const [x, dy] = [inputOf(context, node, 0), inputOf(context, node, 1)];
  if (x.stride % 8 !== 0) throw new Error(`internal error: the input of "${node.name}" has no padded channels`);
  const patches = emitter.scratch(rows(dy) * K);
  emitPatches(patches);
  const mask = fusedReluGrad(context, node) ? x.ref : 0;
  const dx = makeOutput(context, node.outputs[0]!);
  emitter.emit(
    op.COL2IM,
    patches,
    dx.ref,
    x.n,
    x.h,
    x.w,
    x.stride,
    dy.h,
    dy.w,
    ...kernel,
    stride,
    top,
    left,
    dilation,
    K,
    mask,
  );
}

/** Windows over images, and ops that move channels or pixels. */
import * as op from '../../../../kernels/opcodes.ts';
import type { Node, NodeOf } from '../../../graph/graph.ts';
import { refAt } from '../memory.ts';
import { inputOf, type LowerContext, makeOutput, refuse, rows, type Value } from './context.ts';

/** Copies `count` channels of every pixel, from one channel on to another on; the padding behind the last is set to zero. */
function copyChannels(context: LowerContext, from: Value, first: number, to: Value, at: number, count: number): void {
  const [source, target] = [refAt(from.ref, 4 * first), refAt(to.ref, 4 * at)];
  const padding = at + count === to.c ? to.stride - to.c : 0;
  context.emitter.emit(op.COPY_CHANNELS, source, target, rows(from), from.stride, to.stride, count, padding);
}

function checkChannelAxis(node: Node, axis: number): void {
  if (axis !== 1) refuse(node, `joins and splits channels (axis 1) only, not axis ${axis}`);
}

export function lowerConcat(context: LowerContext, node: NodeOf<'Concat'>): void {
  checkChannelAxis(node, node.attrs.axis);
  const inputs = node.inputs.map((_, index) => inputOf(context, node, index));
  const y = makeOutput(context, node.outputs[0]!);
  let at = 0;
  for (const x of inputs) {
    copyChannels(context, x, 0, y, at, x.c);
    at += x.c;
  }
}

export function lowerSplit(context: LowerContext, node: NodeOf<'Split'>): void {
  checkChannelAxis(node, node.attrs.axis);
  const x = inputOf(context, node, 0);
  let first = 0;
  for (const name of node.outputs) {
    const y = makeOutput(context, name);
    copyChannels(context, x, first, y, 0, y.c);
    first += y.c;
  }
}

export function lowerSlice(context: LowerContext, node: NodeOf<'Slice'>): void {
  checkChannelAxis(node, node.attrs.axis);
  const x = inputOf(context, node, 0);
  const y = makeOutput(context, node.outputs[0]!);
  copyChannels(context, x, node.attrs.start, y, 0, y.c);
}

export function lowerChannelShuffle(context: LowerContext, node: NodeOf<'ChannelShuffle'>): void {
  const x = inputOf(context, node, 0);
  const y = makeOutput(context, node.outputs[0]!);
  context.emitter.emit(op.SHUFFLE_CHANNELS, x.ref, y.ref, rows(x), x.stride, x.c, node.attrs.groups);
}

export function lowerPad(context: LowerContext, node: NodeOf<'Pad'>): void {
  const [top, left] = node.attrs.pads;
  const x = inputOf(context, node, 0);
  const y = makeOutput(context, node.outputs[0]!);
  context.emitter.emit(op.PAD, x.ref, y.ref, x.n, x.h, x.w, x.stride, y.h, y.w, top, left);
}

export function lowerPool(context: LowerContext, node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'>): void {
  const { kernel_shape: kernel, strides, pads } = node.attrs;
  const x = inputOf(context, node, 0);
  const y = makeOutput(context, node.outputs[0]!);
  const mean = node.kind === 'AveragePool';
  const divisor = mean && node.attrs.count_include_pad ? kernel[0] * kernel[1] : 0;
  const sizes = [x.n, x.h, x.w, x.stride, y.h, y.w, ...kernel, ...strides, pads[0], pads[1]];
  context.emitter.emit(op.POOL, x.ref, y.ref, ...sizes, Number(mean), divisor);
}

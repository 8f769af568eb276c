/** Padding of images as PyTorch has it: by an operator's own SAME where that is the same, else by a PAD before it. */
import type { NodeOf } from '../../graph/graph.ts';
import type { PoolAttrs } from '../../graph/kinds.ts';
import { NHWC } from './order.ts';
import { PADDING } from './schema.ts';
import type { Writer } from './writer.ts';

type Pads = PoolAttrs['pads'];

/** An image with `fill` around it; nodes that read the same padded image share it. */
export function padded(writer: Writer, name: string, value: string, pads: Pads, fill = 0): number {
  const [top, left, bottom, right] = pads;
  const [N, C, H, W] = writer.shapeOf(value) as [number, number, number, number];
  return writer.once(`${value} padded ${pads} by ${fill}`, () => {
    const x = writer.inOrder(value, NHWC);
    const paddings = writer.constant(`${name}.paddings`, [4, 2], Int32Array.of(0, 0, top, bottom, left, right, 0, 0));
    const y = writer.intermediate(`${name}.pad`, [N, H + top + bottom, W + left + right, C]);
    if (fill === 0) writer.emit('PAD', [x, paddings], y, {});
    else writer.emit('PADV2', [x, paddings, writer.constant(`${name}.fill`, [], Float32Array.of(fill))], y, {});
    return y;
  });
}

export function writePad(writer: Writer, { name, inputs, outputs, attrs }: NodeOf<'Pad'>): void {
  const [top, left, bottom, right] = attrs.pads;
  const places = Int32Array.of(0, 0, top, bottom, left, right, 0, 0);
  const paddings = writer.constant(`${name}.paddings`, [4, 2], places);
  writer.emit('PAD', [writer.inOrder(inputs[0]!, NHWC), paddings], writer.result(outputs[0]!, NHWC), {});
}

/** Whether TensorFlow's SAME pads an axis as the graph does (`before`, `after`). */
function isSame(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  before: number,
  after: number,
): boolean {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size);
  return before === Math.floor(total / 2) && after === total - before;
}

/** Which of TensorFlow's paddings a node has, if any. */
export function paddingOf(
  writer: Writer,
  value: string,
  { kernel_shape: kernel, strides, pads }: PoolAttrs,
  dilations: readonly [number, number] = [1, 1],
): number | undefined {
  if (pads.every((pad) => pad === 0)) return PADDING.VALID;
  const [, , H, W] = writer.shapeOf(value) as [number, number, number, number];
  const same =
    isSame(H, kernel[0], strides[0], dilations[0], pads[0], pads[2]) &&
    isSame(W, kernel[1], strides[1], dilations[1], pads[1], pads[3]);
  return same ? PADDING.SAME : undefined;
}

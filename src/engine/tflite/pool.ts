/** The largest values and the means of windows over images. */
import type { Node, NodeOf } from '../../graph/graph.ts';
import type { PoolAttrs } from '../../graph/kinds.ts';
import { convLength } from '../../graph/shape-rules.ts';
import type { TableValue } from './flatbuffer.ts';
import { NHWC } from './order.ts';
import { padded, paddingOf } from './padding.ts';
import { ACTIVATION, type Operator, PADDING } from './schema.ts';
import type { Writer } from './writer.ts';

/** A window's operator: from one tensor to another, with one of TensorFlow's paddings and perhaps an activation. */
function emitPool(
  writer: Writer,
  operator: Operator,
  [x, y]: readonly [number, number],
  { kernel_shape: kernel, strides }: PoolAttrs,
  options: TableValue,
): void {
  writer.emit(operator, [x], y, {
    stride_h: strides[0],
    stride_w: strides[1],
    filter_height: kernel[0],
    filter_width: kernel[1],
    ...options,
  });
}

/** The smallest float32 that is finite, as TensorFlow's own pooling begins. */
const LOWEST = -3.4028234663852886e38;

/** Whether a value is known to be nowhere below zero; zeros around it change no maximum then. */
function isNonNegative(node: Node | undefined): boolean {
  if (node?.kind === 'Clip') return node.attrs.min >= 0;
  return node?.kind === 'Relu' || node?.kind === 'Sigmoid' || node?.kind === 'HardSigmoid';
}

/** SAME leaves the padding out, as the graph does; other paddings are values that are never the largest. */
export function writeMaxPool(writer: Writer, { name, inputs, outputs, attrs }: NodeOf<'MaxPool'>): void {
  const value = inputs[0]!;
  const padding = paddingOf(writer, value, attrs);
  const fill = isNonNegative(writer.producerOf(value)) ? 0 : LOWEST;
  const x = padding === undefined ? padded(writer, name, value, attrs.pads, fill) : writer.inOrder(value, NHWC);
  const { output, ...activation } = writer.activated(outputs[0]!, NHWC);
  emitPool(writer, 'MAX_POOL_2D', [x, output], attrs, { padding: padding ?? PADDING.VALID, ...activation });
}

/** SAME leaves the padding out of the mean. Elsewhere zeros are put around, and where they must not count means are scaled. */
export function writeAveragePool(writer: Writer, { name, inputs, outputs, attrs }: NodeOf<'AveragePool'>): void {
  const value = inputs[0]!;
  const own = paddingOf(writer, value, attrs);
  // SAME can't count its padding.
  const padding = own === PADDING.SAME && attrs.count_include_pad ? undefined : own;
  const x = padding === undefined ? padded(writer, name, value, attrs.pads) : writer.inOrder(value, NHWC);
  const isMean = padding !== undefined || attrs.count_include_pad;
  const [N, C, height, width] = writer.shapeOf(outputs[0]!) as [number, number, number, number];
  const { output, ...activation } = writer.activated(outputs[0]!, NHWC);
  if (isMean) {
    emitPool(writer, 'AVERAGE_POOL_2D', [x, output], attrs, { padding: padding ?? PADDING.VALID, ...activation });
    return;
  }
  const mean = writer.intermediate(`${name}.mean`, [N, height, width, C]);
  emitPool(writer, 'AVERAGE_POOL_2D', [x, mean], attrs, {
    padding: PADDING.VALID,
    fused_activation_function: ACTIVATION.NONE,
  });
  const [, , H, W] = writer.shapeOf(value) as [number, number, number, number];
  const columns = inside(attrs, 1, W);
  const window = attrs.kernel_shape[0] * attrs.kernel_shape[1];
  const scales = inside(attrs, 0, H).flatMap((row) => columns.map((column) => window / (row * column)));
  const scale = writer.constant(`${name}.scale`, [1, height, width, 1], Float32Array.from(scales));
  writer.emit('MUL', [mean, scale], output, activation);
}

/** How many elements of the image each window has along an axis. */
function inside({ kernel_shape, strides, pads }: PoolAttrs, axis: 0 | 1, size: number): number[] {
  const [kernel, stride, before, after] = [kernel_shape[axis], strides[axis], pads[axis]!, pads[axis + 2]!];
  const length = convLength(size, kernel, stride, before + after);
  return Array.from({ length }, (_, i) => {
    const start = i * stride - before;
    return Math.min(start + kernel, size) - Math.max(start, 0);
  });
}

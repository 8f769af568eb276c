/** Convolutions, with a BatchNormalization behind them folded in. */
import type { Shape, Tensor } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import { NHWC } from './order.ts';
import { padded, paddingOf } from './padding.ts';
import { PADDING } from './schema.ts';
import type { Writer } from './writer.ts';

export function writeConv(writer: Writer, node: NodeOf<'Conv'>): void {
  const { strides, dilations, group, pads } = node.attrs;
  const value = node.inputs[0]!;
  const [, channels] = writer.shapeOf(value);
  const outputs = writer.shapeOf(node.outputs[0]!)[1]!;
  const depthwise = group > 1 && group === channels;
  const norm = writer.absorb(node.outputs[0]!, 'BatchNormalization');
  const { scale, shift } = norm ? scaleAndShift(writer, norm) : IDENTITY;
  const filter = arrange(writer.weight(node, 'weight')!, depthwise, scale);
  const before = writer.weight(node, 'bias')?.data;
  const bias = Float32Array.from({ length: outputs }, (_, o) => (before?.[o] ?? 0) * (scale[o] ?? 1) + (shift[o] ?? 0));
  const padding = paddingOf(writer, value, node.attrs, dilations);
  const x = padding === undefined ? padded(writer, node.name, value, pads) : writer.inOrder(value, NHWC);
  const w = writer.weights(`${node.name}.weight`, filter.shape, filter.data);
  const b = writer.constant(`${node.name}.bias`, [outputs], bias);
  const { output, ...activation } = writer.activated((norm ?? node).outputs[0]!, NHWC);
  // Groups that are not depthwise are told by the filter, which has fewer channels than the image.
  writer.emit(depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', [x, w, b], output, {
    padding: padding ?? PADDING.VALID,
    stride_h: strides[0],
    stride_w: strides[1],
    dilation_h_factor: dilations[0],
    dilation_w_factor: dilations[1],
    ...activation,
    ...(depthwise ? { depth_multiplier: outputs / group } : {}),
  });
}

const IDENTITY = { scale: new Float32Array(0), shift: new Float32Array(0) };

/** BatchNormalization with running statistics as x · scale + shift. */
export function scaleAndShift(
  writer: Writer,
  node: NodeOf<'BatchNormalization'>,
): { scale: Float32Array; shift: Float32Array } {
  const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (role) => writer.weight(node, role)!.data,
  ) as [Tensor['data'], Tensor['data'], Tensor['data'], Tensor['data']];
  const factor = (c: number): number => weight[c]! / Math.sqrt(variance[c]! + node.attrs.epsilon);
  return {
    scale: Float32Array.from({ length: weight.length }, (_, c) => factor(c)),
    shift: Float32Array.from({ length: weight.length }, (_, c) => bias[c]! - mean[c]! * factor(c)),
  };
}

/** `[O, I, kh, kw]` → `[O, kh, kw, I]`, or for depthwise kernels `[O, 1, kh, kw]` → `[1, kh, kw, O]`; each output scaled. */
function arrange(
  { shape, data }: Tensor,
  depthwise: boolean,
  scale: Float32Array,
): { shape: Shape; data: Float32Array } {
  const [outputs, inputs, kh, kw] = shape as [number, number, number, number];
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++) {
          const to = depthwise ? (y * kw + x) * outputs + o : ((o * kh + y) * kw + x) * inputs + i;
          moved[to] = data[at++]! * (scale[o] ?? 1);
        }
  return { shape: depthwise ? [1, kh, kw, outputs] : [outputs, kh, kw, inputs], data: moved };
}

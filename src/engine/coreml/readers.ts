/** How MIL operations are read back as nodes of the IR: one table, the inverse of `nodes.ts`. */
import type { Shape } from '../../core/tensor.ts';
import type { ParamRole } from '../../graph/graph.ts';
import type { ConvAttrs, OpAttrs, OpKind } from '../../graph/kinds.ts';
import type { Constant } from './constants.ts';
import type { FloatType } from './weights.ts';

/** What a name of the program stands for. */
export type Known =
  | Constant
  /** A value of the graph. */
  | { readonly kind: 'value'; readonly name: string; readonly type: FloatType }
  /** An input nobody has read yet: a uint8 image if it is normalized, else numbers. */
  | { readonly kind: 'input'; readonly name: string; readonly shape: Shape }
  /** An input times a constant of each channel. */
  | { readonly kind: 'scaled'; readonly input: string; readonly scale: Float32Array }
  /** An input that was normalized. */
  | { readonly kind: 'image' }
  /** The name of the likeliest class. */
  | { readonly kind: 'label' };

export type KnownOf<K extends Known['kind']> = Extract<Known, { readonly kind: K }>;

export interface MilReader {
  /** What an input of the operation stands for; undefined if it is not given. */
  find(input: string): Known | undefined;
  /** Like `find`, of that kind. */
  get<K extends Known['kind']>(input: string, kind: K): KnownOf<K>;
  /** The graph's name of a value that is an input of the operation. */
  value(input: string): string;
  /** Shape of a constant that is an input of the operation. */
  shapeOf(input: string): Shape;
  /** Parameters by role from constants by input; those of inputs that are not given are left out. */
  parameters(roles: Readonly<Record<string, ParamRole>>): Record<string, string>;
  /** Declares an input of the program as an image of bytes, which it is when it is normalized inside. */
  image(input: KnownOf<'input'>): string;
  /** Adds the node that makes the operation's result. */
  node<K extends OpKind>(kind: K, inputs: readonly string[], attrs: OpAttrs[K], params?: Record<string, string>): void;
  /** Says what a result of the operation stands for, where that is no node. */
  define(known: Known, index?: number): void;
  /** Type of the operation's result. */
  readonly result: { readonly type: string; readonly shape: Shape };
  fail(why: string): never;
}

/** A constant of `count` whole numbers, each of at least `least`. */
function whole(reader: MilReader, input: string, count: number, least: number): number[] {
  const { values } = reader.get(input, 'ints');
  if (values.length !== count || values.some((value) => value < least)) reader.fail(`its ${input} are ${values}`);
  return [...values];
}

/** The inputs that are given must be vectors of that length. */
function checkVectors(reader: MilReader, inputs: readonly string[], length: number | undefined): void {
  for (const input of inputs) {
    const shape = reader.find(input) ? reader.shapeOf(input) : [length];
    if (String(shape) !== String([length])) reader.fail(`its ${input} is [${shape}], expected [${length}]`);
  }
}

const same =
  (kind: 'Relu' | 'Sigmoid') =>
  (reader: MilReader): void => {
    reader.node(kind, [reader.value('x')], {});
  };

function readConv(reader: MilReader): void {
  const [out, , kh = 0, kw = 0] = reader.shapeOf('weight');
  checkVectors(reader, ['bias'], out);
  const { text: padType } = reader.get('pad_type', 'text');
  const [top, bottom, left, right] = whole(reader, 'pad', 4, 0) as [number, number, number, number];
  if (padType !== 'custom') reader.fail(`its pad_type is ${padType}`);
  const pair = (input: string): [number, number] => whole(reader, input, 2, 1) as [number, number];
  const attrs: ConvAttrs = {
    kernel_shape: [kh, kw],
    strides: pair('strides'),
    pads: [top, left, bottom, right],
    dilations: pair('dilations'),
    group: whole(reader, 'groups', 1, 1)[0]!,
  };
  reader.node('Conv', [reader.value('x')], attrs, reader.parameters({ weight: 'weight', bias: 'bias' }));
}

/** Per-channel constants `[1, C, 1, 1]` for an input of C channels. */
function perChannel(reader: MilReader, channels: number): Float32Array {
  const { shape, data } = reader.get('y', 'floats');
  if (String(shape) !== String([1, channels, 1, 1])) reader.fail(`its y is [${shape}], expected [1,${channels},1,1]`);
  return data;
}

/** The last axis, written as −1 or by its number. */
const isLast = (axis: number, rank: number): boolean => axis === -1 || axis === rank - 1;

export const READERS: Readonly<Record<string, (reader: MilReader) => void>> = {
  conv: readConv,
  batch_norm: (reader) => {
    const statistics = { mean: 'running_mean', variance: 'running_var' } as const;
    const params = reader.parameters({ gamma: 'norm_weight', beta: 'norm_bias', ...statistics });
    if (Object.keys(params).length !== 4) reader.fail('it lacks a parameter');
    checkVectors(reader, ['gamma', 'beta', 'mean', 'variance'], reader.result.shape[1]);
    const [epsilon] = reader.get('epsilon', 'floats').data;
    reader.node('BatchNormalization', [reader.value('x')], { epsilon: epsilon! }, params);
  },
  linear: (reader) => {
    checkVectors(reader, ['bias'], reader.shapeOf('weight')[0]);
    const params = reader.parameters({ weight: 'weight', bias: 'bias' });
    reader.node('Gemm', [reader.value('x')], {}, params);
  },
  relu: same('Relu'),
  sigmoid: same('Sigmoid'),
  softmax: (reader) => {
    if (!isLast(whole(reader, 'axis', 1, -1)[0]!, reader.result.shape.length)) reader.fail('its axis is not the last');
    reader.node('Softmax', [reader.value('x')], {});
  },
  mul: (reader) => {
    const input = reader.find('x');
    if (input?.kind !== 'input') {
      reader.node('Mul', [reader.value('x'), reader.value('y')], {});
      return;
    }
    const scale = perChannel(reader, input.shape[1]!);
    if (scale.some((value) => !(value > 0 && value < Number.POSITIVE_INFINITY)))
      reader.fail('its scale is not positive');
    reader.define({ kind: 'scaled', input: reader.image(input), scale });
  },
  add: (reader) => {
    const x = reader.find('x');
    if (x?.kind !== 'scaled') {
      reader.node('Add', [reader.value('x'), reader.value('y')], {});
      return;
    }
    // x · scale + shift = (x / 255 − mean) / std
    const shift = perChannel(reader, x.scale.length);
    const std = Array.from(x.scale, (scale) => 1 / (255 * scale));
    const mean = std.map((s, c) => -shift[c]! * s);
    reader.node('Preprocess', [x.input], { mean, std });
  },
  reduce_mean: (reader) => {
    const axes = whole(reader, 'axes', 2, -4).map((axis) => (axis < 0 ? axis + 4 : axis));
    if (String(axes) !== '2,3' || !reader.get('keep_dims', 'bool').value) reader.fail('it is no global average');
    reader.node('GlobalAveragePool', [reader.value('x')], {});
  },
  reshape: (reader) => {
    const { values } = reader.get('shape', 'ints');
    if (String(values) !== String(reader.result.shape)) reader.fail(`its shape is ${values}`);
    reader.node('Flatten', [reader.value('x')], {});
  },
  // The graph is computed in float32: a conversion changes only the type.
  cast: (reader) => {
    const { text } = reader.get('dtype', 'text');
    const { type } = reader.result;
    if (text !== type || (type !== 'fp16' && type !== 'fp32'))
      reader.fail(`it converts to ${text}, its result is ${type}`);
    reader.define({ kind: 'value', name: reader.value('x'), type: type as FloatType });
  },
  identity: (reader) => {
    reader.define({ kind: 'value', name: reader.value('x'), type: reader.result.type as FloatType });
  },
  classify: (reader) => {
    reader.get('classes', 'texts');
    reader.define({ kind: 'label' }, 0);
    reader.define({ kind: 'value', name: reader.value('probabilities'), type: 'fp32' }, 1);
  },
};

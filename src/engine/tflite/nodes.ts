/** How each inference op is written in TFLite: one table, checked for completeness by the compiler. */
import { sizeOf } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import type { FileKind } from '../file-kinds.ts';
import { unary, writeAffine, writeClip, writeHardSigmoid, writePRelu, writeSwish } from './activations.ts';
import { broadcasting, writeMax } from './broadcast.ts';
import { scaleAndShift, writeConv } from './conv.ts';
import type { TableValue } from './flatbuffer.ts';
import { writeGemm, writeMatMul } from './matrices.ts';
import { NHWC, permuted } from './order.ts';
import { writePad } from './padding.ts';
import { writeAveragePool, writeMaxPool } from './pool.ts';
import { writeGlobalAveragePool, writeLayerNormalization, writeReduceMean, writeSoftmax } from './reduce.ts';
import { ACTIVATION, TENSOR_TYPES } from './schema.ts';
import {
  writeBlocks,
  writeChannelShuffle,
  writeConcat,
  writeReshape,
  writeSlice,
  writeSplit,
  writeTranspose,
} from './shapes.ts';
import type { Writer } from './writer.ts';

type NodeWriter<K extends FileKind> = (writer: Writer, node: NodeOf<K>) => void;

const NO_ACTIVATION: TableValue = { fused_activation_function: ACTIVATION.NONE };

export const NODE_WRITERS: { readonly [K in FileKind]: NodeWriter<K> } = {
  // (image / 255 − mean) / std = image · scale + shift. Neither is folded into the stem: its padding is zeros of the normalized image.
  Preprocess: (writer, { name, inputs, outputs, attrs: { mean, std } }) => {
    const shape = permuted(writer.shapeOf(outputs[0]!), NHWC);
    const image = (step: string): number => writer.intermediate(`${name}.${step}`, shape);
    const perChannel = (step: string, values: readonly number[]): number =>
      writer.constant(`${name}.${step}`, [shape[3]!], Float32Array.from(values));
    const [float, scaled] = [image('float'), image('scaled')];
    const types = { in_data_type: TENSOR_TYPES.UINT8, out_data_type: TENSOR_TYPES.FLOAT32 };
    writer.emit('CAST', [writer.tensorOf(inputs[0]!)], float, types);
    const scale = std.map((s) => 1 / (255 * s));
    writer.emit('MUL', [float, perChannel('scale', scale)], scaled, NO_ACTIVATION);
    const shift = std.map((s, c) => -mean[c]! / s);
    writer.emit('ADD', [scaled, perChannel('shift', shift)], writer.tensorOf(outputs[0]!), NO_ACTIVATION);
  },
  Conv: writeConv,
  // Alone, as in the skip branch of the train form; behind a convolution it is folded into that.
  BatchNormalization: (writer, node) => {
    const { scale, shift } = scaleAndShift(writer, node);
    const perChannel = (step: string, values: Float32Array): number =>
      writer.constant(`${node.name}.${step}`, [values.length], values);
    const shape = writer.shapeOf(node.outputs[0]!);
    // Channels are the last axis.
    const order = [...shape.keys()].filter((axis) => axis !== 1).concat(1);
    const scaled = writer.intermediate(`${node.name}.scaled`, permuted(shape, order));
    writer.emit('MUL', [writer.inOrder(node.inputs[0]!, order), perChannel('scale', scale)], scaled, NO_ACTIVATION);
    const { output, ...activation } = writer.activated(node.outputs[0]!, order);
    writer.emit('ADD', [scaled, perChannel('shift', shift)], output, activation);
  },
  Gemm: writeGemm,
  Relu: unary('RELU'),
  Sigmoid: unary('LOGISTIC'),
  Clip: writeClip,
  HardSigmoid: writeHardSigmoid,
  HardSwish: unary('HARD_SWISH', {}),
  Swish: writeSwish,
  Gelu: unary('GELU', { approximate: false }),
  PRelu: writePRelu,
  Add: broadcasting('ADD'),
  Mul: broadcasting('MUL'),
  Affine: writeAffine,
  Max: writeMax,
  Concat: writeConcat,
  Split: writeSplit,
  Slice: writeSlice,
  ChannelShuffle: writeChannelShuffle,
  Pad: writePad,
  MaxPool: writeMaxPool,
  AveragePool: writeAveragePool,
  GlobalAveragePool: writeGlobalAveragePool,
  ReduceMean: writeReduceMean,
  Flatten: writeReshape,
  Softmax: writeSoftmax,
  MatMul: writeMatMul,
  Transpose: writeTranspose,
  Reshape: writeReshape,
  SpaceToDepth: writeBlocks('SPACE_TO_DEPTH'),
  DepthToSpace: writeBlocks('DEPTH_TO_SPACE'),
  LayerNormalization: writeLayerNormalization,
  Constant: (writer, { outputs, attrs: { shape, value } }) => {
    writer.fix(outputs[0]!, { shape, data: Float32Array.from(value) }, false);
  },
  // What is repeated for each image is stored as often.
  Parameter: (writer, node) => {
    const { data } = writer.weight(node, 'value')!;
    const shape = writer.shapeOf(node.outputs[0]!);
    const repeated = Float32Array.from({ length: sizeOf(shape) }, (_, i) => data[i % data.length]!);
    writer.fix(node.outputs[0]!, { shape, data: repeated }, true);
  },
};

/** An ONNX model as plain data: what the node writers make and `encode.ts` turns into bytes. */
import type { DType, Shape, Tensor } from '../../core/tensor.ts';

/** Element types in files: those of tensors, and half precision. */
export type OnnxDType = DType | 'float16';

/** TensorProto.DataType numbers; float64 never appears in a file. */
export const DATA_TYPES: Readonly<Record<OnnxDType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  float16: 10,
  float64: 11,
};

/** A stored constant: a tensor, or half-precision numbers as their 16 bits. */
export type OnnxTensor = Tensor | { readonly shape: Shape; readonly data: Uint16Array };

export type OnnxAttribute = number | readonly number[] | { readonly float: number };

export interface OnnxNode {
  /** An ONNX operator, e.g. `Conv`. */
  readonly type: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Numbers are integers; floats are marked. */
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph input or output; a dimension is a size, a name, or `''` where it is not known. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: OnnxDType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** Key/value text stored with the model (`metadata_props`). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Written into every file: IR 10 and opset 17 are read by ONNX Runtime from 1.18 on, in phones and browsers too. */
export const IR_VERSION = 10;
export const OPSET_VERSION = 17;

/** An ONNX model as plain data: what the node writers make and `encode.ts` turns into bytes. */
import type { DType, Tensor } from '../../core/tensor.ts';

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
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Key/value text stored with the model (`metadata_props`). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Written into every file: IR 10 and opset 17 are read by ONNX Runtime from 1.18 on, in phones and browsers too. */
export const IR_VERSION = 10;
export const OPSET_VERSION = 17;

/**
 * The parts of TensorFlow Lite's file format that are written and read, as one table: field numbers and types by table
 * name, operators by name. From schema.fbs (version 3, as in PyPI ai-edge-litert 2.3.0, `schema_py_generated.py`).
 */

/** The types of fields. `bytes` is a vector of bytes that begins at a multiple of 16; `union` one of several tables. */
export type FieldType =
  | 'bool'
  | 'int8'
  | 'uint8'
  | 'int32'
  | 'uint32'
  | 'float32'
  | 'string'
  | 'bytes'
  | '[int32]'
  | '[int64]'
  | '[float32]'
  | 'union'
  | 'table'
  | '[table]';

/** Number of the field in its table, its type, and for tables and unions their name. */
export type Field = readonly [id: number, type: FieldType, table?: string];

/** Field names to fields. A field of type `union` takes the number of the value; its type's number is one less. */
export type TableSchema = Readonly<Record<string, Field>>;

/** A set of tables, and for each union which number names which table. */
export interface Schema {
  readonly tables: Readonly<Record<string, TableSchema>>;
  readonly unions: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly root: string;
  /** Four letters at byte 4 of every file. */
  readonly identifier: string;
}

const activation = (id: number): TableSchema => ({ fused_activation_function: [id, 'int8'] });

export const MODEL_SCHEMA: Schema = {
  root: 'Model',
  identifier: 'TFL3',
  unions: {
    BuiltinOptions: {
      Conv2DOptions: 1,
      DepthwiseConv2DOptions: 2,
      Pool2DOptions: 5,
      FullyConnectedOptions: 8,
      SoftmaxOptions: 9,
      ConcatenationOptions: 10,
      AddOptions: 11,
      ReshapeOptions: 17,
      SpaceToDepthOptions: 19,
      MulOptions: 21,
      PadOptions: 22,
      TransposeOptions: 26,
      ReducerOptions: 27,
      SubOptions: 28,
      StridedSliceOptions: 32,
      SplitOptions: 35,
      CastOptions: 37,
      DequantizeOptions: 38,
      MaximumMinimumOptions: 39,
      PadV2Options: 43,
      HardSwishOptions: 91,
      DepthToSpaceOptions: 94,
      BatchMatMulOptions: 101,
      GeluOptions: 116,
    },
  },
  tables: {
    Model: {
      version: [0, 'uint32'],
      operator_codes: [1, '[table]', 'OperatorCode'],
      subgraphs: [2, '[table]', 'SubGraph'],
      description: [3, 'string'],
      buffers: [4, '[table]', 'Buffer'],
      metadata: [6, '[table]', 'Metadata'],
      signature_defs: [7, '[table]', 'SignatureDef'],
    },
    OperatorCode: { deprecated_builtin_code: [0, 'int8'], version: [2, 'int32'], builtin_code: [3, 'int32'] },
    SubGraph: {
      tensors: [0, '[table]', 'Tensor'],
      inputs: [1, '[int32]'],
      outputs: [2, '[int32]'],
      operators: [3, '[table]', 'Operator'],
      name: [4, 'string'],
    },
    Tensor: {
      shape: [0, '[int32]'],
      type: [1, 'int8'],
      buffer: [2, 'uint32'],
      name: [3, 'string'],
      quantization: [4, 'table', 'QuantizationParameters'],
      shape_signature: [7, '[int32]'],
      has_rank: [8, 'bool'],
    },
    QuantizationParameters: { scale: [2, '[float32]'], zero_point: [3, '[int64]'] },
    Operator: {
      opcode_index: [0, 'uint32'],
      inputs: [1, '[int32]'],
      outputs: [2, '[int32]'],
      builtin_options: [4, 'union', 'BuiltinOptions'],
    },
    Buffer: { data: [0, 'bytes'] },
    Metadata: { name: [0, 'string'], buffer: [1, 'uint32'] },
    SignatureDef: {
      inputs: [0, '[table]', 'TensorMap'],
      outputs: [1, '[table]', 'TensorMap'],
      signature_key: [2, 'string'],
      subgraph_index: [4, 'uint32'],
    },
    TensorMap: { name: [0, 'string'], tensor_index: [1, 'uint32'] },

    Conv2DOptions: {
      padding: [0, 'int8'],
      stride_w: [1, 'int32'],
      stride_h: [2, 'int32'],
      ...activation(3),
      dilation_w_factor: [4, 'int32'],
      dilation_h_factor: [5, 'int32'],
    },
    DepthwiseConv2DOptions: {
      padding: [0, 'int8'],
      stride_w: [1, 'int32'],
      stride_h: [2, 'int32'],
      depth_multiplier: [3, 'int32'],
      ...activation(4),
      dilation_w_factor: [5, 'int32'],
      dilation_h_factor: [6, 'int32'],
    },
    Pool2DOptions: {
      padding: [0, 'int8'],
      stride_w: [1, 'int32'],
      stride_h: [2, 'int32'],
      filter_width: [3, 'int32'],
      filter_height: [4, 'int32'],
      ...activation(5),
    },
    FullyConnectedOptions: { ...activation(0), keep_num_dims: [2, 'bool'] },
    SoftmaxOptions: { beta: [0, 'float32'] },
    ConcatenationOptions: { axis: [0, 'int32'], ...activation(1) },
    AddOptions: { ...activation(0) },
    ReshapeOptions: { new_shape: [0, '[int32]'] },
    MulOptions: { ...activation(0) },
    SubOptions: { ...activation(0) },
    PadOptions: {},
    TransposeOptions: {},
    ReducerOptions: { keep_dims: [0, 'bool'] },
    StridedSliceOptions: {
      begin_mask: [0, 'int32'],
      end_mask: [1, 'int32'],
      ellipsis_mask: [2, 'int32'],
      new_axis_mask: [3, 'int32'],
      shrink_axis_mask: [4, 'int32'],
    },
    SplitOptions: { num_splits: [0, 'int32'] },
    CastOptions: { in_data_type: [0, 'int8'], out_data_type: [1, 'int8'] },
    DequantizeOptions: {},
    MaximumMinimumOptions: {},
    PadV2Options: {},
    HardSwishOptions: {},
    SpaceToDepthOptions: { block_size: [0, 'int32'] },
    DepthToSpaceOptions: { block_size: [0, 'int32'] },
    BatchMatMulOptions: { adj_x: [0, 'bool'], adj_y: [1, 'bool'] },
    GeluOptions: { approximate: [0, 'bool'] },
  },
};

/** An operator of TensorFlow Lite: its number, the table of its options, and the version that has what is used of it. */
export interface OperatorSchema {
  readonly code: number;
  readonly options: string | undefined;
  readonly version: number;
}

export type Operator =
  | 'ADD'
  | 'AVERAGE_POOL_2D'
  | 'BATCH_MATMUL'
  | 'CAST'
  | 'CONCATENATION'
  | 'CONV_2D'
  | 'DEPTHWISE_CONV_2D'
  | 'DEPTH_TO_SPACE'
  | 'DEQUANTIZE'
  | 'FULLY_CONNECTED'
  | 'FULLY_CONNECTED_ROWS'
  | 'GELU'
  | 'HARD_SWISH'
  | 'LOGISTIC'
  | 'MAXIMUM'
  | 'MAX_POOL_2D'
  | 'MEAN'
  | 'MINIMUM'
  | 'MUL'
  | 'PAD'
  | 'PADV2'
  | 'PRELU'
  | 'RELU'
  | 'RELU6'
  | 'RELU_N1_TO_1'
  | 'RESHAPE'
  | 'RSQRT'
  | 'SOFTMAX'
  | 'SPACE_TO_DEPTH'
  | 'SPLIT'
  | 'STRIDED_SLICE'
  | 'SUB'
  | 'TRANSPOSE';

export const OPERATORS: Readonly<Record<Operator, OperatorSchema>> = {
  ADD: { code: 0, options: 'AddOptions', version: 1 },
  AVERAGE_POOL_2D: { code: 1, options: 'Pool2DOptions', version: 1 },
  CONCATENATION: { code: 2, options: 'ConcatenationOptions', version: 1 },
  CONV_2D: { code: 3, options: 'Conv2DOptions', version: 1 },
  // Version 2 has dilations.
  DEPTHWISE_CONV_2D: { code: 4, options: 'DepthwiseConv2DOptions', version: 2 },
  DEPTH_TO_SPACE: { code: 5, options: 'DepthToSpaceOptions', version: 1 },
  // Version 3 takes float16.
  DEQUANTIZE: { code: 6, options: 'DequantizeOptions', version: 3 },
  FULLY_CONNECTED: { code: 9, options: 'FullyConnectedOptions', version: 1 },
  // The same operator; version 5 keeps the axes before the last.
  FULLY_CONNECTED_ROWS: { code: 9, options: 'FullyConnectedOptions', version: 5 },
  LOGISTIC: { code: 14, options: undefined, version: 1 },
  MAX_POOL_2D: { code: 17, options: 'Pool2DOptions', version: 1 },
  MUL: { code: 18, options: 'MulOptions', version: 1 },
  RELU: { code: 19, options: undefined, version: 1 },
  RELU_N1_TO_1: { code: 20, options: undefined, version: 1 },
  RELU6: { code: 21, options: undefined, version: 1 },
  RESHAPE: { code: 22, options: 'ReshapeOptions', version: 1 },
  SPACE_TO_DEPTH: { code: 26, options: 'SpaceToDepthOptions', version: 1 },
  SOFTMAX: { code: 25, options: 'SoftmaxOptions', version: 1 },
  PAD: { code: 34, options: 'PadOptions', version: 1 },
  TRANSPOSE: { code: 39, options: 'TransposeOptions', version: 1 },
  MEAN: { code: 40, options: 'ReducerOptions', version: 1 },
  SUB: { code: 41, options: 'SubOptions', version: 1 },
  STRIDED_SLICE: { code: 45, options: 'StridedSliceOptions', version: 1 },
  SPLIT: { code: 49, options: 'SplitOptions', version: 1 },
  CAST: { code: 53, options: 'CastOptions', version: 1 },
  PRELU: { code: 54, options: undefined, version: 1 },
  MAXIMUM: { code: 55, options: 'MaximumMinimumOptions', version: 1 },
  MINIMUM: { code: 57, options: 'MaximumMinimumOptions', version: 1 },
  PADV2: { code: 60, options: 'PadV2Options', version: 1 },
  RSQRT: { code: 76, options: undefined, version: 1 },
  HARD_SWISH: { code: 117, options: 'HardSwishOptions', version: 1 },
  BATCH_MATMUL: { code: 126, options: 'BatchMatMulOptions', version: 1 },
  // Numbers beyond 127 are in `builtin_code` alone.
  GELU: { code: 150, options: 'GeluOptions', version: 1 },
};

/** TensorType numbers of the element types in use. */
export type TensorType = 'FLOAT32' | 'FLOAT16' | 'INT32' | 'UINT8';
export const TENSOR_TYPES: Readonly<Record<TensorType, number>> = { FLOAT32: 0, FLOAT16: 1, INT32: 2, UINT8: 3 };

export const PADDING: Readonly<Record<'SAME' | 'VALID', number>> = { SAME: 0, VALID: 1 };
export type Activation = 'NONE' | 'RELU' | 'RELU_N1_TO_1' | 'RELU6';
export const ACTIVATION: Readonly<Record<Activation, number>> = { NONE: 0, RELU: 1, RELU_N1_TO_1: 2, RELU6: 3 };

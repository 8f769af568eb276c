/**
 * The parts of Core ML's file format that are written and read, as one table: field numbers and types by message, under the
 * names of Apple's .proto files (Model, FeatureTypes and MIL, as in PyPI coremltools 9.0; see THIRD_PARTY.md). Written by hand:
 * 32 messages of several hundred, and TypeScript derives their types from the table. `test/engine/check-coreml.py` compares it
 * with the descriptors in coremltools.
 */

type Scalar = { bool: boolean; bytes: Uint8Array; string: string; int32: number; int64: number; uint64: number };
type List = {
  '[float]': readonly number[];
  '[int32]': readonly number[];
  '[int64]': readonly number[];
  '[bool]': readonly boolean[];
  '[string]': readonly string[];
};
type Plain = Scalar & List;
export type PlainType = keyof Plain;

/** Number and type of a field; for messages, lists of messages and maps from text, the message or `string` too. */
export type Field = readonly [number, PlainType] | readonly [number, 'message' | '[message]' | 'map', string];

export const SCHEMA = {
  Model: {
    specificationVersion: [1, 'int32'],
    description: [2, 'message', 'ModelDescription'],
    mlProgram: [502, 'message', 'MILSpec.Program'],
  },
  ModelDescription: {
    input: [1, '[message]', 'FeatureDescription'],
    output: [10, '[message]', 'FeatureDescription'],
    predictedFeatureName: [11, 'string'],
    predictedProbabilitiesName: [12, 'string'],
    metadata: [100, 'message', 'Metadata'],
  },
  Metadata: {
    shortDescription: [1, 'string'],
    versionString: [2, 'string'],
    author: [3, 'string'],
    license: [4, 'string'],
    userDefined: [100, 'map', 'string'],
  },
  FeatureDescription: {
    name: [1, 'string'],
    shortDescription: [2, 'string'],
    type: [3, 'message', 'FeatureType'],
  },
  FeatureType: {
    stringType: [3, 'message', 'StringFeatureType'],
    imageType: [4, 'message', 'ImageFeatureType'],
    multiArrayType: [5, 'message', 'ArrayFeatureType'],
    dictionaryType: [6, 'message', 'DictionaryFeatureType'],
  },
  StringFeatureType: {},
  /** colorSpace: `COLOR_SPACES` */
  ImageFeatureType: { width: [1, 'int64'], height: [2, 'int64'], colorSpace: [3, 'int32'] },
  /** dataType: `FLOAT32_ARRAY` */
  ArrayFeatureType: { shape: [1, '[int64]'], dataType: [2, 'int32'] },
  DictionaryFeatureType: { stringKeyType: [2, 'message', 'StringFeatureType'] },

  'MILSpec.Program': { version: [1, 'int64'], functions: [2, 'map', 'MILSpec.Function'] },
  'MILSpec.Function': {
    inputs: [1, '[message]', 'MILSpec.NamedValueType'],
    opset: [2, 'string'],
    block_specializations: [3, 'map', 'MILSpec.Block'],
  },
  'MILSpec.Block': { outputs: [2, '[string]'], operations: [3, '[message]', 'MILSpec.Operation'] },
  'MILSpec.Operation': {
    type: [1, 'string'],
    inputs: [2, 'map', 'MILSpec.Argument'],
    outputs: [3, '[message]', 'MILSpec.NamedValueType'],
    attributes: [5, 'map', 'MILSpec.Value'],
  },
  'MILSpec.Argument': { arguments: [1, '[message]', 'MILSpec.Argument.Binding'] },
  'MILSpec.Argument.Binding': { name: [1, 'string'], value: [2, 'message', 'MILSpec.Value'] },
  'MILSpec.NamedValueType': { name: [1, 'string'], type: [2, 'message', 'MILSpec.ValueType'] },
  'MILSpec.ValueType': {
    tensorType: [1, 'message', 'MILSpec.TensorType'],
    listType: [2, 'message', 'MILSpec.ListType'],
    dictionaryType: [4, 'message', 'MILSpec.DictionaryType'],
  },
  /** dataType: `DATA_TYPES` */
  'MILSpec.TensorType': {
    dataType: [1, 'int32'],
    rank: [2, 'int64'],
    dimensions: [3, '[message]', 'MILSpec.Dimension'],
  },
  'MILSpec.ListType': {
    type: [1, 'message', 'MILSpec.ValueType'],
    length: [2, 'message', 'MILSpec.Dimension'],
  },
  'MILSpec.DictionaryType': {
    keyType: [1, 'message', 'MILSpec.ValueType'],
    valueType: [2, 'message', 'MILSpec.ValueType'],
  },
  'MILSpec.Dimension': { constant: [1, 'message', 'MILSpec.Dimension.ConstantDimension'] },
  'MILSpec.Dimension.ConstantDimension': { size: [1, 'uint64'] },
  'MILSpec.Value': {
    type: [2, 'message', 'MILSpec.ValueType'],
    immediateValue: [3, 'message', 'MILSpec.Value.ImmediateValue'],
    blobFileValue: [5, 'message', 'MILSpec.Value.BlobFileValue'],
  },
  'MILSpec.Value.ImmediateValue': {
    tensor: [1, 'message', 'MILSpec.TensorValue'],
    list: [3, 'message', 'MILSpec.ListValue'],
  },
  'MILSpec.Value.BlobFileValue': { fileName: [1, 'string'], offset: [2, 'uint64'] },
  'MILSpec.TensorValue': {
    floats: [1, 'message', 'MILSpec.TensorValue.RepeatedFloats'],
    ints: [2, 'message', 'MILSpec.TensorValue.RepeatedInts'],
    bools: [3, 'message', 'MILSpec.TensorValue.RepeatedBools'],
    strings: [4, 'message', 'MILSpec.TensorValue.RepeatedStrings'],
    bytes: [7, 'message', 'MILSpec.TensorValue.RepeatedBytes'],
  },
  'MILSpec.TensorValue.RepeatedFloats': { values: [1, '[float]'] },
  'MILSpec.TensorValue.RepeatedInts': { values: [1, '[int32]'] },
  'MILSpec.TensorValue.RepeatedBools': { values: [1, '[bool]'] },
  'MILSpec.TensorValue.RepeatedStrings': { values: [1, '[string]'] },
  'MILSpec.TensorValue.RepeatedBytes': { values: [1, 'bytes'] },
  'MILSpec.ListValue': { values: [1, '[message]', 'MILSpec.Value'] },
} as const;

export type MessageName = keyof typeof SCHEMA;

type FieldValue<F> = F extends readonly [number, infer T extends PlainType]
  ? Plain[T]
  : F extends readonly [number, 'message', infer M extends MessageName]
    ? Message<M>
    : F extends readonly [number, '[message]', infer M extends MessageName]
      ? readonly Message<M>[]
      : F extends readonly [number, 'map', infer M]
        ? Readonly<Record<string, M extends MessageName ? Message<M> : string>>
        : never;

/** A message as a plain object; as in protobuf, any field may be absent. */
export type Message<M extends MessageName> = {
  readonly [K in keyof (typeof SCHEMA)[M]]?: FieldValue<(typeof SCHEMA)[M][K]>;
};

/** ImageFeatureType.ColorSpace by the number of channels. */
export const COLOR_SPACES: Readonly<Record<number, number>> = { 1: 10, 3: 20 };
/** ArrayFeatureType.ArrayDataType. */
export const FLOAT32_ARRAY = 65_568;

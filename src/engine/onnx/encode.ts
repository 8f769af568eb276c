/** ONNX models to bytes and back, by `onnx-buf` (generated from onnx.proto) on `@bufbuild/protobuf`. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type * as Onnx from 'onnx-buf';
import { UserError } from '../../core/errors.ts';
import { dtypeOf } from '../../core/tensor.ts';
import {
  DATA_TYPES,
  IR_VERSION,
  type OnnxAttribute,
  type OnnxDType,
  type OnnxModel,
  type OnnxTensor,
  type OnnxValue,
  OPSET_VERSION,
} from './model.ts';

type Init<T extends keyof typeof Onnx> = (typeof Onnx)[T] extends Parameters<
  typeof import('@bufbuild/protobuf').create
>[0]
  ? MessageInitShape<(typeof Onnx)[T]>
  : never;

/** Loads the two packages when they are first needed. */
async function loadPackages(): Promise<{ proto: typeof import('@bufbuild/protobuf'); onnx: typeof Onnx }> {
  try {
    const [proto, onnx] = await Promise.all([import('@bufbuild/protobuf'), import('onnx-buf')]);
    return { proto, onnx };
  } catch {
    throw new UserError(
      'ONNX files are written by the packages onnx-buf and @bufbuild/protobuf, which are missing.',
      'Install them: npm install onnx-buf @bufbuild/protobuf',
    );
  }
}

/** Encodes a model. The result holds a copy of the weights. */
export async function encodeOnnx(model: OnnxModel, producerVersion: string): Promise<Uint8Array> {
  const { proto, onnx } = await loadPackages();
  const message = proto.create(onnx.ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    opsetImport: [{ domain: '', version: BigInt(OPSET_VERSION) }],
    producerName: 'mobileone',
    producerVersion,
    graph: {
      name: model.name,
      node: model.nodes.map(({ type, name, inputs, outputs, attributes }) => ({
        opType: type,
        name,
        input: [...inputs],
        output: [...outputs],
        attribute: Object.entries(attributes).map(([key, value]) => attributeOf(key, value)),
      })),
      initializer: [...model.initializers].map(([name, value]) => initializerOf(name, value)),
      input: model.inputs.map(valueInfo),
      output: model.outputs.map(valueInfo),
    },
    metadataProps: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
  });
  return proto.toBinary(onnx.ModelProtoSchema, message);
}

/** AttributeProto.AttributeType: FLOAT 1, INT 2, INTS 7. */
function attributeOf(name: string, value: OnnxAttribute): Init<'AttributeProtoSchema'> {
  if (typeof value === 'number') return { name, type: 2, i: BigInt(value) };
  if ('float' in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: value.map(BigInt) };
}

function initializerOf(name: string, { shape, data: values }: OnnxTensor): Init<'TensorProtoSchema'> {
  const data = values instanceof Float64Array ? Float32Array.from(values) : values;
  const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  const dtype: OnnxDType = data instanceof Uint16Array ? 'float16' : dtypeOf({ shape, data });
  return { name, dims: shape.map(BigInt), dataType: DATA_TYPES[dtype], rawData };
}

function valueInfo({ name, dtype, shape }: OnnxValue): Init<'ValueInfoProtoSchema'> {
  const dim = shape.map((size): Init<'TensorShapeProto_DimensionSchema'> => {
    if (typeof size === 'number') return { value: { case: 'dimValue', value: BigInt(size) } };
    return size === '' ? {} : { value: { case: 'dimParam', value: size } };
  });
  return { name, type: { value: { case: 'tensorType', value: { elemType: DATA_TYPES[dtype], shape: { dim } } } } };
}

/** Reads an ONNX file back as plain data. Throws a UserError for bytes that are not one. */
export async function decodeOnnx(bytes: Uint8Array): Promise<OnnxModel & { irVersion: number; opset: number }> {
  const { proto, onnx } = await loadPackages();
  let message: Onnx.ModelProto;
  try {
    message = proto.fromBinary(onnx.ModelProtoSchema, bytes);
  } catch {
    throw new UserError('These bytes are not an ONNX model.', 'Check that the file is complete.');
  }
  const { graph } = message;
  if (!graph) throw new UserError('These bytes are not an ONNX model: it has no graph.', 'Check the file.');
  return {
    irVersion: Number(message.irVersion),
    opset: Number(message.opsetImport.find(({ domain }) => domain === '')?.version ?? 0),
    name: graph.name,
    inputs: graph.input.map(readValue),
    outputs: graph.output.map(readValue),
    nodes: graph.node.map(({ opType, name, input, output, attribute }) => ({
      type: opType,
      name,
      inputs: input,
      outputs: output,
      attributes: Object.fromEntries(attribute.map((one) => [one.name, readAttribute(one)])),
    })),
    initializers: new Map(graph.initializer.map((one) => [one.name, readInitializer(one)])),
    metadata: Object.fromEntries(message.metadataProps.map(({ key, value }) => [key, value])),
  };
}

function readAttribute({ type, f, i, ints }: Onnx.AttributeProto): OnnxAttribute {
  if (type === 1) return { float: f };
  return type === 2 ? Number(i) : ints.map(Number);
}

/** Weights of float32 and float16, others as bytes; raw bytes are copied because they are not aligned in the file. */
function readInitializer({ dims, dataType, rawData, floatData }: Onnx.TensorProto): OnnxTensor {
  const shape = dims.map(Number);
  // Not by slice(), which of a Buffer is no copy.
  const bytes = new Uint8Array(rawData);
  if (dataType === DATA_TYPES.float16) return { shape, data: new Uint16Array(bytes.buffer) };
  if (dataType !== DATA_TYPES.float32) return { shape, data: bytes };
  return { shape, data: bytes.length > 0 ? new Float32Array(bytes.buffer) : Float32Array.from(floatData) };
}

function readValue({ name, type }: Onnx.ValueInfoProto): OnnxValue {
  const tensor = type?.value.case === 'tensorType' ? type.value.value : undefined;
  const shape = (tensor?.shape?.dim ?? []).map(({ value }) =>
    value.case === 'dimValue' ? Number(value.value) : (value.value ?? ''),
  );
  const dtype =
    (Object.keys(DATA_TYPES) as OnnxDType[]).find((key) => DATA_TYPES[key] === tensor?.elemType) ?? 'float32';
  return { name, dtype, shape };
}

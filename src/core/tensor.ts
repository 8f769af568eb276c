/** The numeric arrays a tensor may hold; the dtype follows from the array. */
export type TensorData = Float32Array | Float64Array | Uint8Array | Int32Array;
export type DType = 'float32' | 'float64' | 'uint8' | 'int32';
export type Shape = readonly number[];

/** A dense row-major array with its shape. Images are `[N, C, H, W]` unless said otherwise. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Named tensors: parameters, statistics, gradients, optimizer state. Names are timm's. */
export type StateDict = ReadonlyMap<string, Tensor>;

/** Number of elements of a shape; `[]` is a scalar with one. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Makes a tensor, checking that data and shape agree. */
export function tensor(shape: Shape, data: TensorData): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`tensor of shape [${shape.join(', ')}] needs ${sizeOf(shape)} elements, got ${data.length}`);
  }
  return { shape, data };
}

/** A float32 scalar, shape `[]`. */
export function scalar(value: number): Tensor {
  return { shape: [], data: Float32Array.of(value) };
}

/** The dtype of a tensor's data. */
export function dtypeOf(t: Tensor): DType {
  if (t.data instanceof Float32Array) return 'float32';
  if (t.data instanceof Float64Array) return 'float64';
  if (t.data instanceof Uint8Array) return 'uint8';
  return 'int32';
}

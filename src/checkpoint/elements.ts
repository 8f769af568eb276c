/** Element types of stored tensors: little-endian bytes to typed arrays and back. */
import { halfToNumber } from '../core/half.ts';
import type { TensorData } from '../core/tensor.ts';

/** Bytes of every element type that is read, by its safetensors name. */
const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type Element = keyof typeof ELEMENT_BYTES;

/** True for the name of an element type that can be read. */
export function isElement(name: unknown): name is Element {
  return typeof name === 'string' && Object.hasOwn(ELEMENT_BYTES, name);
}

/** Bytes of one element. */
export function bytesPer(element: Element): number {
  return ELEMENT_BYTES[element];
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Reverses the bytes of every element in place, on a big-endian host. */
function toHostOrder(bytes: Uint8Array, size: number): void {
  if (HOST_IS_LITTLE_ENDIAN || size === 1) return;
  for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
}

/** Copies a typed array into `target` at `offset` as little-endian bytes. */
export function writeBytes(target: Uint8Array, offset: number, data: TensorData): void {
  target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
  toHostOrder(target.subarray(offset, offset + data.byteLength), data.BYTES_PER_ELEMENT);
}

/**
 * Reads little-endian elements into a new array: float64, float32, int32 and uint8 as they are, F16 and BF16 as
 * float32, other integers as int32. Returns undefined when an integer does not fit 32 bits.
 */
export function readElements(bytes: Uint8Array, element: Element): TensorData | undefined {
  // Not slice(): a Node Buffer's slice is a view, whose buffer is a pool.
  const copy = new Uint8Array(bytes);
  toHostOrder(copy, bytesPer(element));
  const { buffer } = copy;
  switch (element) {
    case 'F64':
      return new Float64Array(buffer);
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return Float32Array.from(new Uint16Array(buffer), halfToNumber);
    case 'BF16':
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    case 'I32':
      return new Int32Array(buffer);
    case 'I16':
      return Int32Array.from(new Int16Array(buffer));
    case 'U16':
      return Int32Array.from(new Uint16Array(buffer));
    case 'I8':
      return Int32Array.from(new Int8Array(buffer));
    case 'U8':
    case 'BOOL':
      return copy;
    case 'U32':
      return narrow(new Uint32Array(buffer));
    case 'I64':
      return narrow(Float64Array.from(new BigInt64Array(buffer), Number));
  }
}

function narrow(values: Uint32Array | Float64Array): Int32Array | undefined {
  return values.every((value) => value === (value | 0)) ? Int32Array.from(values) : undefined;
}

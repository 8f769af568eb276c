/**
 * `weight.bin`: Core ML's file of large constants. A head of 64 bytes (number of tensors, version 2), then each tensor as a
 * record of 64 bytes and its data; both begin at multiples of 64. A constant names the place of its record.
 */
import { UserError } from '../../core/errors.ts';
import { fromFloat16, toFloat16 } from '../../core/float16.ts';

export type FloatType = 'fp16' | 'fp32';

const ALIGNMENT = 64;
const VERSION = 2;
const SENTINEL = 0xdeadbeef;
/** BlobDataType of MIL. */
const BLOB_TYPES: Readonly<Record<FloatType, number>> = { fp16: 1, fp32: 2 };

const align = (at: number): number => Math.ceil(at / ALIGNMENT) * ALIGNMENT;

/** Values as the bytes that a file holds, little-endian. */
export function floatBytes(values: ArrayLike<number>, type: FloatType): Uint8Array<ArrayBuffer> {
  return new Uint8Array((type === 'fp16' ? toFloat16(values) : Float32Array.from(values)).buffer);
}

/** Values from bytes, which need not be aligned. */
export function bytesToFloats(bytes: Uint8Array, type: FloatType): Float32Array {
  const copy = new Uint8Array(bytes);
  return type === 'fp16' ? fromFloat16(new Uint16Array(copy.buffer)) : new Float32Array(copy.buffer);
}

export interface WeightWriter {
  /** Adds a tensor; returns the place of its record. */
  add(values: ArrayLike<number>, type: FloatType): number;
  finish(): Uint8Array<ArrayBuffer>;
}

export function weightWriter(): WeightWriter {
  const pieces: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let end = ALIGNMENT;
  let count = 0;
  const put = (bytes: Uint8Array): number => {
    const at = align(end);
    pieces.push({ at, bytes });
    end = at + bytes.length;
    return at;
  };
  return {
    add(values, type) {
      const data = floatBytes(values, type);
      const record = new DataView(new ArrayBuffer(ALIGNMENT));
      record.setUint32(0, SENTINEL, true);
      record.setUint32(4, BLOB_TYPES[type], true);
      record.setBigUint64(8, BigInt(data.length), true);
      const at = put(new Uint8Array(record.buffer));
      record.setBigUint64(16, BigInt(put(data)), true);
      count++;
      return at;
    },
    finish() {
      const file = new Uint8Array(end);
      const head = new DataView(file.buffer);
      head.setUint32(0, count, true);
      head.setUint32(4, VERSION, true);
      for (const { at, bytes } of pieces) file.set(bytes, at);
      return file;
    },
  };
}

/** The values of the tensor whose record is at `offset`. Throws a UserError unless it is there, of that type and length. */
export function readWeight(file: Uint8Array, offset: number, type: FloatType, count: number): Float32Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const bad = (why: string): UserError =>
    new UserError(`The weights inside the Core ML package are damaged: ${why}.`, 'Copy or export it again.');
  if (file.length < ALIGNMENT || view.getUint32(4, true) !== VERSION)
    throw bad(`they are no file of version ${VERSION}`);
  if (!Number.isInteger(offset) || offset < 0 || offset + ALIGNMENT > file.length)
    throw bad(`a constant lies at ${offset}, behind the end`);
  if (view.getUint32(offset, true) !== SENTINEL) throw bad(`there is no record at ${offset}`);
  if (view.getUint32(offset + 4, true) !== BLOB_TYPES[type]) throw bad(`the record at ${offset} is not ${type}`);
  const size = Number(view.getBigUint64(offset + 8, true));
  const at = Number(view.getBigUint64(offset + 16, true));
  const expected = count * (type === 'fp16' ? 2 : 4);
  if (size !== expected) throw bad(`the record at ${offset} has ${size} bytes instead of ${expected}`);
  if (at + size > file.length) throw bad(`the data at ${at} end behind the file`);
  return bytesToFloats(file.subarray(at, at + size), type);
}

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { UserError } from '../../src/core/errors.ts';
import { halfToNumber } from '../../src/core/half.ts';
import { sizeOf, type Tensor, type TensorData } from '../../src/core/tensor.ts';

const arrays = {
  f64: (n: number) => fc.float64Array({ minLength: n, maxLength: n }),
  f32: (n: number) => fc.float32Array({ minLength: n, maxLength: n }),
  i32: (n: number) => fc.int32Array({ minLength: n, maxLength: n }),
  u8: (n: number) => fc.uint8Array({ minLength: n, maxLength: n }),
};
const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.array(fc.nat(4), { maxLength: 4 }), fc.constantFrom(...Object.values(arrays)))
  .chain(([shape, make]) => (make(sizeOf(shape)) as fc.Arbitrary<TensorData>).map((data): Tensor => ({ shape, data })));
const anyName = fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__');

test('what is written is read back, whatever the names, shapes and types', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyName, anyTensor), { maxLength: 8 }),
      fc.array(fc.tuple(anyName, anyName), { maxLength: 3 }),
      (tensors, metadata) => {
        const state = new Map(tensors);
        const info = Object.fromEntries(metadata);
        const bytes = encodeSafetensors(state, info);
        const decoded = decodeSafetensors(bytes);
        expect(new Map([...decoded.tensors].sort())).toEqual(new Map([...state].sort()));
        expect(Object.entries(decoded.metadata).sort()).toEqual(Object.entries(info).sort());
        const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        expect(headerBytes % 8).toBe(0);
        expect(encodeSafetensors(new Map([...state].reverse()), info)).toEqual(bytes);
      },
    ),
    { numRuns: 100 },
  );
});

test('data is aligned: the biggest element type comes first', () => {
  const state = new Map<string, Tensor>([
    ['a', { shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ['b', { shape: [1], data: Float32Array.of(1) }],
    ['c', { shape: [1], data: Float64Array.of(1) }],
  ]);
  expect([...decodeSafetensors(encodeSafetensors(state)).tensors.keys()]).toEqual(['c', 'b', 'a']);
});

/** A file with the given header text (or object) and bytes of data. */
function file(header: unknown, dataBytes: number | Uint8Array, headerLength?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const data = typeof dataBytes === 'number' ? new Uint8Array(dataBytes) : dataBytes;
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}
const f32 = (shape: unknown, data_offsets: unknown, dtype: unknown = 'F32'): object => ({ dtype, shape, data_offsets });

test('other element types become float32 or int32', () => {
  const data = new Uint8Array(32);
  const view = new DataView(data.buffer);
  view.setUint16(0, 0x3c00, true); // 1
  view.setUint16(2, 0xc580, true); // −5.5
  view.setUint16(4, 0x3fc0, true); // 1.5 as BF16
  view.setUint16(6, 0xc2f7, true); // −123.5 as BF16
  view.setBigInt64(8, -3n, true);
  view.setBigInt64(16, 7n, true);
  data.set([1, 0], 24);
  view.setInt8(26, -4);
  view.setInt8(27, 5);
  view.setUint16(28, 65535, true);
  view.setInt16(30, -2, true);
  const { tensors } = decodeSafetensors(
    file(
      {
        half: f32([2], [0, 4], 'F16'),
        brain: f32([2], [4, 8], 'BF16'),
        long: f32([2], [8, 24], 'I64'),
        flag: f32([2], [24, 26], 'BOOL'),
        tiny: f32([2], [26, 28], 'I8'),
        word: f32([1], [28, 30], 'U16'),
        short: f32([1], [30, 32], 'I16'),
      },
      data,
    ),
  );
  expect(tensors.get('half')!.data).toEqual(Float32Array.of(1, -5.5));
  expect(tensors.get('brain')!.data).toEqual(Float32Array.of(1.5, -123.5));
  expect(tensors.get('long')!.data).toEqual(Int32Array.of(-3, 7));
  expect(tensors.get('flag')!.data).toEqual(Uint8Array.of(1, 0));
  expect(tensors.get('tiny')!.data).toEqual(Int32Array.of(-4, 5));
  expect(tensors.get('word')!.data).toEqual(Int32Array.of(65535));
  expect(tensors.get('short')!.data).toEqual(Int32Array.of(-2));
});

test('half precision: subnormals, infinities, NaN', () => {
  expect([0x0001, 0x8000, 0x7c00, 0xfc00, 0x7bff].map(halfToNumber)).toEqual([
    2 ** -24,
    -0,
    Infinity,
    -Infinity,
    65504,
  ]);
  expect(halfToNumber(0x7e00)).toBeNaN();
});

const good = encodeSafetensors(new Map([['w', { shape: [4], data: Float32Array.of(1, 2, 3, 4) }]]));
const HOSTILE: Record<string, Uint8Array> = {
  empty: new Uint8Array(0),
  'seven bytes': new Uint8Array(7),
  'header length beyond the file': file('{}', 0, 1000n),
  'absurd header length': file('{}', 0, 0xffff_ffff_ffff_ffffn),
  'header of gigabytes': file('{}', 0, 5_000_000_000n),
  'not JSON': file('{"w": ', 0),
  'not UTF-8': file('{}', 0).fill(0xff, 8),
  'an array': file('[1, 2]', 0),
  null: file('null', 0),
  'a pickle': new TextEncoder().encode('\x80\x02}q\x00(X\x04\x00\x00\x00abcd'),
  'a tensor that is a number': file({ w: 3 }, 0),
  'unknown dtype': file({ w: f32([1], [0, 4], 'Q9') }, 4),
  'dtype of the prototype': file({ w: f32([1], [0, 4], 'constructor') }, 4),
  'no shape': file({ w: f32(undefined, [0, 4]) }, 4),
  'negative shape': file({ w: f32([-1], [0, 4]) }, 4),
  'fractional shape': file({ w: f32([0.5, 2], [0, 4]) }, 4),
  'enormous shape': file({ w: f32([2 ** 40, 2 ** 40], [0, 4]) }, 4),
  'offsets outside': file({ w: f32([2], [0, 8]) }, 4),
  'offsets reversed': file({ w: f32([1], [4, 0]) }, 4),
  'offsets negative': file({ w: f32([1], [-4, 0]) }, 4),
  'one offset': file({ w: f32([1], [4]) }, 4),
  overlapping: file({ a: f32([2], [0, 8]), b: f32([2], [4, 12]) }, 12),
  'a hole': file({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12),
  'trailing bytes': file({ w: f32([1], [0, 4]) }, 9),
  'wrong size for the shape': file({ w: f32([3], [0, 8]) }, 8),
  'integers beyond 32 bits': file({ w: f32([1], [0, 8], 'I64') }, Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0)),
  'metadata that is not text': file({ __metadata__: { a: 1 } }, 0),
  'metadata that is a list': file({ __metadata__: [] }, 0),
  ...Object.fromEntries([1, 8, 20, good.length - 1].map((n) => [`cut to ${n} bytes`, good.slice(0, n)])),
};

test.each(Object.keys(HOSTILE))('a hostile file is a UserError: %s', (name) => {
  expect(() => decodeSafetensors(HOSTILE[name]!)).toThrow(UserError);
});

test('a Buffer, whose slices are views, is read as well', () => {
  const padded = Buffer.concat([Buffer.alloc(3), good]);
  const data = decodeSafetensors(padded.subarray(3)).tensors.get('w')!.data;
  expect(data).toEqual(Float32Array.of(1, 2, 3, 4));
  padded.fill(0);
  expect(data).toEqual(Float32Array.of(1, 2, 3, 4));
});

test('no damaged byte gives anything but tensors or a UserError', () => {
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
      const bytes = good.slice();
      bytes[at] = value;
      try {
        decodeSafetensors(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }),
  );
});

/** IEEE 754 half precision: numbers as 16 bits. */

/** Largest finite value; from 65,520 on, values round to infinity. */
export const FLOAT16_MAX = 65_504;

/** Values as the nearest halves, ties to even. */
export function toFloat16(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const floats = Float32Array.from(values);
  return Uint16Array.from(new Uint32Array(floats.buffer), (word, i) => {
    const sign = (word >>> 16) & 0x8000;
    const size = word & 0x7fffffff;
    if (size > 0x7f800000) return sign | 0x7e00;
    if (size >= 0x477ff000) return sign | 0x7c00;
    // Adding and subtracting 2⁵² rounds a double to a whole number, ties to even; subnormals are whole multiples of 2⁻²⁴.
    if (size < 0x38800000) return sign | (Math.abs(floats[i]!) * 2 ** 24 + 2 ** 52 - 2 ** 52);
    return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  });
}

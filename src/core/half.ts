/** IEEE half precision (float16), which JavaScript's typed arrays of Node 20 lack: numbers to 16 bits and back. */

/** The largest half-precision number. */
export const HALF_MAX = 65504;

/** Value of a half-precision number given as its 16 bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The 16 bits of the half-precision number nearest to a float32 one, ties to even; beyond the largest: infinity. */
export function numberToHalf(value: number): number {
  float[0] = value;
  const sign = (word[0]! >>> 16) & 0x8000;
  const magnitude = word[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // Below 2⁻¹⁴ halves are whole multiples of 2⁻²⁴: adding 2²³ lets float32 round to them.
  if (magnitude < 0x38800000) {
    float[0] = Math.abs(value) * 2 ** 24 + 2 ** 23;
    return sign | (word[0]! - 0x4b000000);
  }
  return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
}

/** Numbers as half-precision bits. */
export function toHalf(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, numberToHalf);
}

/**
 * Like `toHalf`, but what rounding a value takes away is given to the next smaller one of its group (so many values in a row), so that
 * groups keep their sums. A kernel's taps see neighboring pixels, which are much alike: the output then changes less.
 */
export function toHalfByGroups(values: Float32Array | Float64Array, group: number): Uint16Array<ArrayBuffer> {
  const out = toHalf(values);
  for (let from = 0; group > 1 && from < values.length; from += group) {
    const order = Array.from({ length: group }, (_, i) => from + i);
    order.sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
    let lost = 0;
    for (const i of order) {
      const wanted = values[i]! + lost;
      out[i] = numberToHalf(wanted);
      lost = wanted - halfToNumber(out[i]!);
    }
  }
  return out;
}

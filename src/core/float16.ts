/** IEEE 754 half precision: float32 values to 16 bits and back. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Largest finite value; from 65,520 on, values round to infinity. */
export const FLOAT16_MAX = 65_504;

/** The half that is nearest to a value, ties to the even one; what is too large becomes infinite. */
function toHalf(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const exponent = ((bits[0]! >>> 23) & 0xff) - 112;
  const fraction = bits[0]! & 0x7fffff;
  if (exponent === 143) return sign | 0x7c00 | (fraction ? 0x200 : 0);
  if (exponent >= 31) return sign | 0x7c00;
  if (exponent < -10) return sign;
  // Below 2^-14 the leading one is written out, and the value has fewer digits.
  const dropped = exponent > 0 ? 13 : 14 - exponent;
  const digits = exponent > 0 ? (exponent << 23) | fraction : 0x800000 | fraction;
  const half = digits >>> dropped;
  const rest = digits & ((1 << dropped) - 1);
  const middle = 1 << (dropped - 1);
  return sign | (half + Number(rest > middle || (rest === middle && (half & 1) === 1)));
}

function fromHalf(half: number): number {
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  const value = exponent < 31 ? size : fraction ? Number.NaN : Number.POSITIVE_INFINITY;
  return half & 0x8000 ? -value : value;
}

/** Values as the nearest halves, ties to even. */
export function toFloat16(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = toHalf(values[i]!);
  return halves;
}

/** The exact values of halves. */
export function fromFloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = fromHalf(halves[i]!);
  return values;
}

/**
 * Like `toFloat16`, but what rounding a value takes away is given to the next smaller one of its group (so many values in a row), so that
 * groups keep their sums. A kernel's taps see neighboring pixels, which are much alike: the output then changes less.
 */
export function toFloat16ByGroups(values: Float32Array | Float64Array, group: number): Uint16Array<ArrayBuffer> {
  const out = toFloat16(values);
  for (let from = 0; group > 1 && from < values.length; from += group) {
    const order = Array.from({ length: group }, (_, i) => from + i);
    order.sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!));
    let lost = 0;
    for (const i of order) {
      const wanted = values[i]! + lost;
      out[i] = toHalf(wanted);
      lost = wanted - fromHalf(out[i]!);
    }
  }
  return out;
}

/** The few helpers every kernel uses. Vectors are four floats; channel counts are padded to multiples of eight. */

/** a · b + c: one rounding with relaxed SIMD, two without. */
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.relaxed_madd<f32>(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

@inline
export function splat(value: f32): v128 {
  return f32x4.splat(value);
}

@inline
export function horizontalSum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** Argument i (1 …) of the instruction at p, as pointer or as integer. */
@inline
export function ptr(p: usize, i: i32): usize {
  return <usize>load<u32>(p + (<usize>i << 2));
}

@inline
export function int(p: usize, i: i32): i32 {
  return load<i32>(p + (<usize>i << 2));
}

@inline
export function float(p: usize, i: i32): f32 {
  return load<f32>(p + (<usize>i << 2));
}

/** First item of thread `tid`'s fixed share of `total` items, in multiples of `grain`. */
@inline
export function share(total: i32, grain: i32, tid: i32, nt: i32): i32 {
  const grains = (total + grain - 1) / grain;
  const first = <i32>((<i64>grains * tid) / nt) * grain;
  return first < total ? first : total;
}

/** Dot product of n floats (n a multiple of 8). */
@inline
export function dot(a: usize, b: usize, n: i32): f32 {
  let s = f32x4.splat(0), t = s;
  const end = a + (<usize>n << 2);
  while (a < end) {
    s = fma(v128.load(a), v128.load(b), s);
    t = fma(v128.load(a, 16), v128.load(b, 16), t);
    a += 32;
    b += 32;
  }
  return horizontalSum(f32x4.add(s, t));
}

// Below, n is a multiple of 8. Both loads of a pair stand before both stores, so that the pair can be merged into 256 bits.

/** dst += src over n floats. */
export function addTo(dst: usize, src: usize, n: i32): void {
  const end = dst + (<usize>n << 2);
  while (dst < end) {
    const a = v128.load(dst), b = v128.load(dst, 16), x = v128.load(src), y = v128.load(src, 16);
    v128.store(dst, f32x4.add(a, x));
    v128.store(dst, f32x4.add(b, y), 16);
    dst += 32;
    src += 32;
  }
}

/** dst += s · src over n floats. */
export function addScaled(dst: usize, s: f32, src: usize, n: i32): void {
  const end = dst + (<usize>n << 2), v = f32x4.splat(s);
  while (dst < end) {
    const a = v128.load(dst), b = v128.load(dst, 16), x = v128.load(src), y = v128.load(src, 16);
    v128.store(dst, fma(v, x, a));
    v128.store(dst, fma(v, y, b), 16);
    dst += 32;
    src += 32;
  }
}

/** dst = s · src over n floats. */
export function scaled(dst: usize, s: f32, src: usize, n: i32): void {
  const end = dst + (<usize>n << 2), v = f32x4.splat(s);
  while (dst < end) {
    const x = v128.load(src), y = v128.load(src, 16);
    v128.store(dst, f32x4.mul(v, x));
    v128.store(dst, f32x4.mul(v, y), 16);
    dst += 32;
    src += 32;
  }
}

/** Zeros over few floats, for which memory.fill takes too long. */
@inline
export function clearFew(dst: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f32>(dst + (<usize>i << 2), 0);
}

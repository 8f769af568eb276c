/** What the depthwise kernels share: rows of an image between zero pixels, and rows of statistics [index][C]. */

/** A ring of `slots` rows of one image, with zero pixels around; slot number `slots` stays zero. */
@inline
export function slot(ring: usize, row: i32, limit: i32, slots: i32, bytes: usize): usize {
  return ring + <usize>(row < 0 || row >= limit ? slots : row % slots) * bytes;
}

/** Copies row `row` of an image into its slot, behind `pad` zero pixels. */
@inline
export function loadRow(ring: usize, image: usize, row: i32, slots: i32, bytes: usize, pad: i32, rowBytes: usize, C4: usize): void {
  memory.copy(ring + <usize>(row % slots) * bytes + <usize>pad * C4, image + <usize>row * rowBytes, rowBytes);
}

/** out += sum of a row's pixels. */
export function addRowSum(out: usize, row: usize, W: i32, C4: usize): void {
  for (let c: usize = 0; c < C4; c += 32) {
    let q = row + c, s = f32x4.splat(0), t = f32x4.splat(0);
    for (let i = W; i > 0; i--) {
      s = f32x4.add(s, v128.load(q));
      t = f32x4.add(t, v128.load(q, 16));
      q += C4;
    }
    const a = v128.load(out + c), b = v128.load(out + c, 16);
    v128.store(out + c, f32x4.add(a, s));
    v128.store(out + c, f32x4.add(b, t), 16);
  }
}

/** Row of the entry (a, b) of a symmetric 9 × 9 matrix in packed statistics. */
@inline
export function pair(a: i32, b: i32): i32 {
  return a <= b ? a * 9 - (a * (a - 1)) / 2 + b - a : b * 9 - (b * (b - 1)) / 2 + a - b;
}

@inline
export function at(base: usize, row: i32, C4: usize): v128 {
  return v128.load(base + <usize>row * C4);
}


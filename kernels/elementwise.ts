/** Layout conversion, elementwise ops, pooling and their gradients. Activations are [N, H·W, C], C a multiple of 8. */
import { addTo, float, fma, int, ptr, scaled, share } from './vector';

/** 1 image float [N, C, H, W], 2 out [N, H, W, cs], 3 N, 4 C, 5 H·W, 6 cs. */
export function nchwToNhwc(p: usize, tid: i32, nt: i32): void {
  const C = int(p, 4), HW = int(p, 5), cs = int(p, 6), grain = 256, perImage = (HW + grain - 1) / grain;
  const r1 = share(int(p, 3) * perImage, 1, tid + 1, nt);
  for (let r = share(int(p, 3) * perImage, 1, tid, nt); r < r1; r++) {
    const n = r / perImage, first = (r % perImage) * grain, count = min(grain, HW - first);
    const from = ptr(p, 1) + (<usize>(n * C * HW + first) << 2), out = ptr(p, 2) + (<usize>((n * HW + first) * cs) << 2);
    if (C == 3 && cs == 3) interleave3(from, out, HW, count);
    else for (let i = 0; i < count; i++) for (let c = 0; c < cs; c++)
      store<f32>(out + (<usize>(i * cs + c) << 2), c < C ? load<f32>(from + (<usize>(c * HW + i) << 2)) : 0);
  }
}

/** Three planes of `stride` floats → `count` pixels of three floats. */
function interleave3(from: usize, out: usize, stride: i32, count: i32): void {
  const g = <usize>stride << 2, b = g + g;
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const r4 = v128.load(from), g4 = v128.load(from + g), b4 = v128.load(from + b);
    const rg = i32x4.shuffle(r4, g4, 0, 4, 1, 5), gb = i32x4.shuffle(g4, b4, 1, 5, 2, 6), rb = i32x4.shuffle(r4, b4, 1, 2, 4, 3);
    v128.store(out, i32x4.shuffle(rg, rb, 0, 1, 6, 4)); // r0 g0 b0 r1
    v128.store(out, i32x4.shuffle(gb, rb, 0, 1, 5, 2), 16); // g1 b1 r2 g2
    v128.store(out, i32x4.shuffle(i32x4.shuffle(b4, r4, 2, 7, 2, 7), i32x4.shuffle(g4, b4, 3, 7, 3, 7), 0, 1, 4, 5), 32); // b2 r3 g3 b3
    from += 16;
    out += 48;
  }
  for (; i < count; i++) {
    store<f32>(out, load<f32>(from));
    store<f32>(out, load<f32>(from + g), 4);
    store<f32>(out, load<f32>(from + b), 8);
    from += 4;
    out += 12;
  }
}

/** (byte · scale + shift): 1 image uint8 [N·H·W, C], 2 out [N·H·W, cs], 3 pixels, 4 C, 5 cs, 6 scale[C], 7 shift[C]. */
export function preprocess(p: usize, tid: i32, nt: i32): void {
  const C = int(p, 4), cs = int(p, 5), scale = ptr(p, 6), shift = ptr(p, 7);
  let r = share(int(p, 3), 4, tid, nt);
  const r1 = share(int(p, 3), 4, tid + 1, nt);
  if (C == 3 && cs == 3) r = preprocess3(ptr(p, 1), ptr(p, 2), r, r1, scale, shift);
  for (; r < r1; r++) {
    const from = ptr(p, 1) + <usize>(r * C);
    let out = ptr(p, 2) + (<usize>(r * cs) << 2);
    for (let c: usize = 0; c < <usize>cs; c++) {
      const value: f32 = c < <usize>C ? <f32>load<u8>(from + c) * load<f32>(scale + (c << 2)) + load<f32>(shift + (c << 2)) : 0;
      store<f32>(out, value);
      out += 4;
    }
  }
}

/** Four pixels of three channels at a time: scale and shift repeat every three vectors. Returns the first pixel not done. */
function preprocess3(image: usize, out: usize, r: i32, r1: i32, scale: usize, shift: usize): i32 {
  const s = v128.load(scale), t = v128.load(shift);
  const s0 = i32x4.shuffle(s, s, 0, 1, 2, 0), s1 = i32x4.shuffle(s, s, 1, 2, 0, 1), s2 = i32x4.shuffle(s, s, 2, 0, 1, 2);
  const t0 = i32x4.shuffle(t, t, 0, 1, 2, 0), t1 = i32x4.shuffle(t, t, 1, 2, 0, 1), t2 = i32x4.shuffle(t, t, 2, 0, 1, 2);
  for (; r + 4 <= r1; r += 4) {
    const from = image + <usize>(r * 3), to = out + (<usize>(r * 3) << 2);
    v128.store(to, f32x4.add(f32x4.mul(bytesToFloats(from), s0), t0));
    v128.store(to, f32x4.add(f32x4.mul(bytesToFloats(from + 4), s1), t1), 16);
    v128.store(to, f32x4.add(f32x4.mul(bytesToFloats(from + 8), s2), t2), 32);
  }
  return r;
}

@inline
function bytesToFloats(from: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from))));
}

/** 1 x, 2 y, 3 n floats (multiple of 4). */
export function relu(p: usize, tid: i32, nt: i32): void {
  const i1 = <usize>share(int(p, 3), 4, tid + 1, nt) << 2, zero = f32x4.splat(0);
  for (let i = <usize>share(int(p, 3), 4, tid, nt) << 2; i < i1; i += 16) v128.store(ptr(p, 2) + i, f32x4.max(v128.load(ptr(p, 1) + i), zero));
}

/** 1 a, 2 b, 3 out, 4 n. */
export function add(p: usize, tid: i32, nt: i32): void {
  const i1 = <usize>share(int(p, 4), 4, tid + 1, nt) << 2;
  for (let i = <usize>share(int(p, 4), 4, tid, nt) << 2; i < i1; i += 16) v128.store(ptr(p, 3) + i, f32x4.add(v128.load(ptr(p, 1) + i), v128.load(ptr(p, 2) + i)));
}

/** 1 a, 2 b, 3 out, 4 n. */
export function mul(p: usize, tid: i32, nt: i32): void {
  const i1 = <usize>share(int(p, 4), 4, tid + 1, nt) << 2;
  for (let i = <usize>share(int(p, 4), 4, tid, nt) << 2; i < i1; i += 16) v128.store(ptr(p, 3) + i, f32x4.mul(v128.load(ptr(p, 1) + i), v128.load(ptr(p, 2) + i)));
}

/** out = a · b broadcast over positions: 1 a [N, HW, C], 2 b [N, C], 3 out, 4 N, 5 HW, 6 C. */
export function mulChannels(p: usize, tid: i32, nt: i32): void {
  const HW = int(p, 5), C4 = <usize>int(p, 6) << 2, r1 = share(int(p, 4) * HW, 1, tid + 1, nt);
  for (let r = share(int(p, 4) * HW, 1, tid, nt); r < r1; r++) {
    const at = <usize>r * C4, b = ptr(p, 2) + <usize>(r / HW) * C4;
    for (let c: usize = 0; c < C4; c += 16) v128.store(ptr(p, 3) + at + c, f32x4.mul(v128.load(ptr(p, 1) + at + c), v128.load(b + c)));
  }
}

/** da = dy · b, db = Σ dy · a: 1 a, 2 b, 3 dy, 4 da, 5 db, 6 N, 7 HW, 8 C. */
export function mulChannelsGrad(p: usize, tid: i32, nt: i32): void {
  const HW = int(p, 7), C4 = <usize>int(p, 8) << 2, n1 = share(int(p, 6), 1, tid + 1, nt);
  for (let n = share(int(p, 6), 1, tid, nt); n < n1; n++) for (let c: usize = 0; c < C4; c += 16) {
    const b = v128.load(ptr(p, 2) + <usize>n * C4 + c);
    let s = f32x4.splat(0), at = <usize>(n * HW) * C4 + c;
    for (let i = 0; i < HW; i++) {
      const dy = v128.load(ptr(p, 3) + at);
      s = fma(dy, v128.load(ptr(p, 1) + at), s);
      v128.store(ptr(p, 4) + at, f32x4.mul(dy, b));
      at += C4;
    }
    v128.store(ptr(p, 5) + <usize>n * C4 + c, s);
  }
}

/** y = max(x · scale + shift, lo): 1 x, 2 scale, 3 shift, 4 y, 5 rows, 6 C, 7 relu. */
export function affine(p: usize, tid: i32, nt: i32): void {
  const C4 = <usize>int(p, 6) << 2, lo = int(p, 7) ? f32x4.splat(0) : f32x4.splat(-Infinity), r1 = share(int(p, 5), 1, tid + 1, nt);
  for (let r = share(int(p, 5), 1, tid, nt); r < r1; r++) {
    const at = <usize>r * C4;
    for (let c: usize = 0; c < C4; c += 16) {
      const y = fma(v128.load(ptr(p, 1) + at + c), v128.load(ptr(p, 2) + c), v128.load(ptr(p, 3) + c));
      v128.store(ptr(p, 4) + at + c, f32x4.max(y, lo));
    }
  }
}

/** Eval-mode BatchNormalization as scale and shift: 1 gamma, 2 beta, 3 mean, 4 var, 5 scale, 6 shift, 7 C, 8 eps. */
export function foldNorm(p: usize, tid: i32, nt: i32): void {
  if (tid) return;
  for (let i: usize = 0; i < <usize>int(p, 7) << 2; i += 4) {
    const s = load<f32>(ptr(p, 1) + i) / sqrt<f32>(load<f32>(ptr(p, 4) + i) + float(p, 8));
    store<f32>(ptr(p, 5) + i, s);
    store<f32>(ptr(p, 6) + i, load<f32>(ptr(p, 2) + i) - load<f32>(ptr(p, 3) + i) * s);
  }
}

/** y[n] = mean over positions: 1 x, 2 y, 3 N, 4 HW, 5 C. */
export function averagePool(p: usize, tid: i32, nt: i32): void {
  const HW = int(p, 4), C = int(p, 5), C4 = <usize>C << 2, n1 = share(int(p, 3), 1, tid + 1, nt);
  for (let n = share(int(p, 3), 1, tid, nt); n < n1; n++) {
    const y = ptr(p, 2) + <usize>n * C4, x = ptr(p, 1) + <usize>(n * HW) * C4;
    memory.fill(y, 0, C4);
    for (let i = 0; i < HW; i++) addTo(y, x + <usize>i * C4, C);
    scaled(y, <f32>1 / <f32>HW, y, C);
  }
}

/** dx = dy / HW at every position: 1 dy, 2 dx, 3 N, 4 HW, 5 C. */
export function averagePoolGrad(p: usize, tid: i32, nt: i32): void {
  const HW = int(p, 4), C4 = <usize>int(p, 5) << 2, r1 = share(int(p, 3) * HW, 1, tid + 1, nt), inv = f32x4.splat(<f32>1 / <f32>HW);
  for (let r = share(int(p, 3) * HW, 1, tid, nt); r < r1; r++) for (let c: usize = 0; c < C4; c += 16)
    v128.store(ptr(p, 2) + <usize>r * C4 + c, f32x4.mul(v128.load(ptr(p, 1) + <usize>(r / HW) * C4 + c), inv));
}

/** dx = dy where y > 0: 1 y, 2 dy, 3 dx, 4 n. */
export function reluGrad(p: usize, tid: i32, nt: i32): void {
  const i1 = <usize>share(int(p, 4), 4, tid + 1, nt) << 2, zero = f32x4.splat(0);
  for (let i = <usize>share(int(p, 4), 4, tid, nt) << 2; i < i1; i += 16)
    v128.store(ptr(p, 3) + i, v128.and(v128.load(ptr(p, 2) + i), f32x4.gt(v128.load(ptr(p, 1) + i), zero)));
}

/** dx = dy · y · (1 − y): 1 y, 2 dy, 3 dx, 4 n. */
export function sigmoidGrad(p: usize, tid: i32, nt: i32): void {
  const i1 = <usize>share(int(p, 4), 4, tid + 1, nt) << 2, one = f32x4.splat(1);
  for (let i = <usize>share(int(p, 4), 4, tid, nt) << 2; i < i1; i += 16) {
    const y = v128.load(ptr(p, 1) + i);
    v128.store(ptr(p, 3) + i, f32x4.mul(v128.load(ptr(p, 2) + i), f32x4.mul(y, f32x4.sub(one, y))));
  }
}

/** Depthwise convolution of any kernel: 1 x, 2 w [kh·kw][C], 3 bias, 4 y, 5 N, 6 H, 7 W, 8 C, 9 OH, 10 OW, 11 kh, 12 kw, 13 stride, 14 top, 15 left, 16 dilation, 17 relu. */
export function depthwiseAny(p: usize, tid: i32, nt: i32): void {
  const H = int(p, 6), W = int(p, 7), C4 = <usize>int(p, 8) << 2, OH = int(p, 9), OW = int(p, 10), kh = int(p, 11), kw = int(p, 12);
  const stride = int(p, 13), dilation = int(p, 16), lo = int(p, 17) ? f32x4.splat(0) : f32x4.splat(-Infinity);
  const across = <usize>dilation * C4, r1 = share(int(p, 5) * OH, 1, tid + 1, nt);
  for (let r = share(int(p, 5) * OH, 1, tid, nt); r < r1; r++) for (let ox = 0; ox < OW; ox++) {
    const iy = (r % OH) * stride - int(p, 14), ix = ox * stride - int(p, 15);
    // Taps that lie inside the image: first and one past the last.
    const y0 = firstTap(iy, dilation), y1 = endTap(iy, dilation, H, kh), x0 = firstTap(ix, dilation), x1 = endTap(ix, dilation, W, kw);
    const from = ptr(p, 1) + <usize>(((r / OH) * H + iy + y0 * dilation) * W + ix + x0 * dilation) * C4;
    for (let c: usize = 0; c < C4; c += 32) {
      let a = v128.load(ptr(p, 3) + c), b = v128.load(ptr(p, 3) + c, 16);
      for (let ky = y0; ky < y1; ky++) {
        let x = from + <usize>((ky - y0) * dilation * W) * C4 + c, w = ptr(p, 2) + <usize>(ky * kw + x0) * C4 + c;
        for (let kx = x0; kx < x1; kx++) {
          a = fma(v128.load(x), v128.load(w), a);
          b = fma(v128.load(x, 16), v128.load(w, 16), b);
          x += across;
          w += C4;
        }
      }
      const y = ptr(p, 4) + <usize>(r * OW + ox) * C4 + c;
      v128.store(y, f32x4.max(a, lo));
      v128.store(y, f32x4.max(b, lo), 16);
    }
  }
}

/** The first tap at or after the image's first pixel. */
@inline
function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

/** One past the last tap before the image's end. */
@inline
function endTap(start: i32, dilation: i32, length: i32, taps: i32): i32 {
  return min(taps, (length - start + dilation - 1) / dilation);
}

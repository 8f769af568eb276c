/** The way back from patches to pixels. */
import { int, ptr, share } from './vector';

@inline
function addPixel(out: usize, from: usize, bytes: usize): void {
  for (let c: usize = 0; c < bytes; c += 32) {
    const a = f32x4.add(v128.load(out + c), v128.load(from + c)), b = f32x4.add(v128.load(out + c, 16), v128.load(from + c, 16));
    v128.store(out + c, a);
    v128.store(out + c, b, 16);
  }
}

@inline
function maskPixel(out: usize, x: usize, bytes: usize): void {
  const zero = f32x4.splat(0);
  for (let c: usize = 0; c < bytes; c += 32) {
    const a = v128.and(v128.load(out + c), f32x4.gt(v128.load(x + c), zero)), b = v128.and(v128.load(out + c, 16), f32x4.gt(v128.load(x + c, 16), zero));
    v128.store(out + c, a);
    v128.store(out + c, b, 16);
  }
}

/**
 * The sum of what the patches hold of each pixel, zero where the pixel of `mask` (0: none) is not positive. Each pixel gathers from
 * the patches that reach it, taps in order, so threads share nothing and any number of them gives the same bits.
 * 1 patches [N·OH·OW, K], 2 out [N, H, W, cs], 3 N, 4 H, 5 W, 6 cs (a multiple of 8), 7 OH, 8 OW, 9 kh, 10 kw, 11 stride, 12 top, 13 left,
 * 14 dilation, 15 K, 16 mask.
 */
export function col2im(p: usize, tid: i32, nt: i32): void {
  const H = int(p, 4), W = int(p, 5), OH = int(p, 7), OW = int(p, 8), kh = int(p, 9), kw = int(p, 10);
  const stride = int(p, 11), top = int(p, 12), left = int(p, 13), dilation = int(p, 14), mask = ptr(p, 16);
  const pixel = <usize>int(p, 6) << 2, patch = <usize>int(p, 15) << 2, r1 = share(int(p, 3) * H, 1, tid + 1, nt);
  for (let r = share(int(p, 3) * H, 1, tid, nt); r < r1; r++) {
    const patches = ptr(p, 1) + <usize>((r / H) * OH * OW) * patch, y = r % H + top;
    let at = <usize>(r * W) * pixel;
    for (let i = 0; i < W; i++) {
      const out = ptr(p, 2) + at, x = i + left;
      memory.fill(out, 0, pixel);
      for (let ky = 0; ky < kh; ky++) {
        const oy = y - ky * dilation;
        if (oy < 0 || oy % stride != 0 || oy / stride >= OH) continue;
        for (let kx = 0; kx < kw; kx++) {
          const ox = x - kx * dilation;
          if (ox < 0 || ox % stride != 0 || ox / stride >= OW) continue;
          addPixel(out, patches + <usize>((oy / stride) * OW + ox / stride) * patch + <usize>(ky * kw + kx) * pixel, pixel);
        }
      }
      if (mask) maskPixel(out, mask + at, pixel);
      at += pixel;
    }
  }
}

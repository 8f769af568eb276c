/** Depthwise moments and correlations over few positions: two passes over centered patches, where raw moments would cancel. */
import { fma, int, ptr, share } from './vector';

@inline
function tapOf(image: usize, H: i32, W: i32, y: i32, x: i32, C4: usize): v128 {
  return y >= 0 && y < H && x >= 0 && x < W ? v128.load(image + <usize>(y * W + x) * C4) : f32x4.splat(0);
}

/** mean[9][C] and covariance[45][C] directly: 1 x, 2 N, 3 H, 4 W, 5 C, 6 stride, 7 mean, 8 covariance, 9 scratch [nt][9 · 4]. */
export function dwMomentsDirect(p: usize, tid: i32, nt: i32): void {
  const N = int(p, 2), H = int(p, 3), W = int(p, 4), C = int(p, 5), stride = int(p, 6), C4 = <usize>C << 2, scratch = ptr(p, 9) + <usize>tid * 144;
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride, inv = f32x4.splat(<f32>1 / <f32>(N * OH * OW));
  const c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const mean = ptr(p, 7) + c, cov = ptr(p, 8) + c;
    for (let a = 0; a < 9; a++) {
      let s = f32x4.splat(0);
      for (let n = 0; n < N; n++) for (let oy = 0; oy < OH; oy++) for (let ox = 0; ox < OW; ox++)
        s = f32x4.add(s, tapOf(ptr(p, 1) + c + <usize>(n * H * W) * C4, H, W, oy * stride + a / 3 - 1, ox * stride + (a % 3) - 1, C4));
      v128.store(mean + <usize>a * C4, f32x4.mul(s, inv));
    }
    for (let i = 0; i < 45; i++) v128.store(cov + <usize>i * C4, f32x4.splat(0));
    for (let n = 0; n < N; n++) for (let oy = 0; oy < OH; oy++) for (let ox = 0; ox < OW; ox++) {
      for (let a = 0; a < 9; a++) {
        const u = tapOf(ptr(p, 1) + c + <usize>(n * H * W) * C4, H, W, oy * stride + a / 3 - 1, ox * stride + (a % 3) - 1, C4);
        v128.store(scratch + (<usize>a << 4), f32x4.sub(u, v128.load(mean + <usize>a * C4)));
      }
      let d = cov;
      for (let a: usize = 0; a < 144; a += 16) for (let b = a; b < 144; b += 16) {
        v128.store(d, fma(v128.load(scratch + a), v128.load(scratch + b), v128.load(d)));
        d += C4;
      }
    }
    for (let i = 0; i < 45; i++) v128.store(cov + <usize>i * C4, f32x4.mul(v128.load(cov + <usize>i * C4), inv));
  }
}

/** Centered correlations G_c[9][C] and Σ dz: 1 x, 2 dz, 3 N, 4 H, 5 W, 6 C, 7 stride, 8 mean, 9 out [10][C]. */
export function dwCorrelateDirect(p: usize, tid: i32, nt: i32): void {
  const N = int(p, 3), H = int(p, 4), W = int(p, 5), C = int(p, 6), stride = int(p, 7), C4 = <usize>C << 2;
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride, c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const out = ptr(p, 9) + c;
    for (let i = 0; i < 10; i++) v128.store(out + <usize>i * C4, f32x4.splat(0));
    let dz = ptr(p, 2) + c;
    for (let n = 0; n < N; n++) for (let oy = 0; oy < OH; oy++) for (let ox = 0; ox < OW; ox++) {
      const g = v128.load(dz);
      dz += C4;
      for (let a = 0; a < 9; a++) {
        const u = tapOf(ptr(p, 1) + c + <usize>(n * H * W) * C4, H, W, oy * stride + a / 3 - 1, ox * stride + (a % 3) - 1, C4);
        const d = out + <usize>a * C4;
        v128.store(d, fma(g, f32x4.sub(u, v128.load(ptr(p, 8) + c + <usize>a * C4)), v128.load(d)));
      }
      v128.store(out + 9 * C4, f32x4.add(v128.load(out + 9 * C4), g));
    }
  }
}

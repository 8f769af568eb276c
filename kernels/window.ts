/** Windows over images and ops that move channels or pixels. Activations are [N, H·W, C], C a multiple of 8. */
import { int, ptr, share, splat } from './vector';

/**
 * The largest or the mean of each window, padding left out: 1 x, 2 y, 3 N, 4 H, 5 W, 6 C, 7 OH, 8 OW, 9 kh, 10 kw, 11 stride down,
 * 12 stride across, 13 top, 14 left, 15 mean, 16 divisor of the mean (0: the number of values).
 */
export function pool(p: usize, tid: i32, nt: i32): void {
  const H = int(p, 4), W = int(p, 5), C4 = <usize>int(p, 6) << 2, OH = int(p, 7), OW = int(p, 8), mean = int(p, 15) != 0;
  const r1 = share(int(p, 3) * OH, 1, tid + 1, nt);
  for (let r = share(int(p, 3) * OH, 1, tid, nt); r < r1; r++) for (let ox = 0; ox < OW; ox++) {
    const top = (r % OH) * int(p, 11) - int(p, 13), left = ox * int(p, 12) - int(p, 14);
    const y0 = max(0, top), y1 = min(H, top + int(p, 9)), x0 = max(0, left), x1 = min(W, left + int(p, 10));
    const image = ptr(p, 1) + <usize>((r / OH) * H * W) * C4, out = ptr(p, 2) + <usize>(r * OW + ox) * C4;
    const count = int(p, 16) ? int(p, 16) : (y1 - y0) * (x1 - x0), inv = splat(<f32>1 / <f32>count);
    for (let c: usize = 0; c < C4; c += 16) {
      let a = mean ? splat(0) : splat(-Infinity);
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) {
        const value = v128.load(image + <usize>(y * W + x) * C4 + c);
        a = mean ? f32x4.add(a, value) : f32x4.max(a, value);
      }
      v128.store(out + c, mean ? f32x4.mul(a, inv) : a);
    }
  }
}

/** Zeros around images: 1 x, 2 y, 3 N, 4 H, 5 W, 6 C, 7 OH, 8 OW, 9 top, 10 left. */
export function pad(p: usize, tid: i32, nt: i32): void {
  const H = int(p, 4), W = int(p, 5), C4 = <usize>int(p, 6) << 2, OH = int(p, 7), OW = int(p, 8), left = int(p, 10);
  const r1 = share(int(p, 3) * OH, 1, tid + 1, nt);
  for (let r = share(int(p, 3) * OH, 1, tid, nt); r < r1; r++) {
    const y = (r % OH) - int(p, 9), out = ptr(p, 2) + <usize>(r * OW) * C4;
    memory.fill(out, 0, <usize>OW * C4);
    if (y >= 0 && y < H) memory.copy(out + <usize>left * C4, ptr(p, 1) + <usize>(((r / OH) * H + y) * W) * C4, <usize>W * C4);
  }
}

/** Channels from one place of every pixel to another: 1 x, 2 y, 3 rows, 4 stride of x, 5 stride of y, 6 channels, 7 zeros to write behind them. */
export function copyChannels(p: usize, tid: i32, nt: i32): void {
  const from = <usize>int(p, 4) << 2, to = <usize>int(p, 5) << 2, C4 = <usize>int(p, 6) << 2, end = C4 + (<usize>int(p, 7) << 2);
  const r1 = share(int(p, 3), 1, tid + 1, nt);
  for (let r = share(int(p, 3), 1, tid, nt); r < r1; r++) {
    const x = ptr(p, 1) + <usize>r * from, y = ptr(p, 2) + <usize>r * to;
    let c: usize = 0;
    for (; c + 16 <= C4; c += 16) v128.store(y + c, v128.load(x + c));
    for (; c < C4; c += 4) store<f32>(y + c, load<f32>(x + c));
    for (; c < end; c += 4) store<f32>(y + c, 0);
  }
}

/** Channel i · G + g from g · C / G + i: 1 x, 2 y, 3 rows, 4 cs, 5 C, 6 G. */
export function shuffleChannels(p: usize, tid: i32, nt: i32): void {
  const cs = int(p, 4), C = int(p, 5), G = int(p, 6), each = C / G, r1 = share(int(p, 3), 1, tid + 1, nt);
  for (let r = share(int(p, 3), 1, tid, nt); r < r1; r++) {
    const x = ptr(p, 1) + (<usize>(r * cs) << 2);
    let y = ptr(p, 2) + (<usize>(r * cs) << 2);
    for (let i = 0; i < each; i++) for (let g = 0; g < G; g++) {
      store<f32>(y, load<f32>(x + (<usize>(g * each + i) << 2)));
      y += 4;
    }
    for (let c = C; c < cs; c++) {
      store<f32>(y, 0);
      y += 4;
    }
  }
}

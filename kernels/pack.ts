/**
 * Operands of products: patches of dense convolutions, and matrices in panels. A matrix of K rows and N columns (multiples of 8) is
 * cut into panels of PANEL neighboring columns, the last one perhaps of eight; each panel is stored row by row.
 */
import { PANEL } from './generated/width';
import { int, ptr, share } from './vector';

/** Columns of the panel that holds column n of N. */
@inline
export function panelWidth(n: i32, N: i32): i32 {
  return min(PANEL, N - (n & ~(PANEL - 1)));
}

/** Address of column n in row 0 of its panel; the next row is panelWidth(n, N) floats on. */
@inline
export function panelAt(base: usize, n: i32, K: i32): usize {
  const first = n & ~(PANEL - 1);
  return base + (<usize>(first * K + n - first) << 2);
}

/** Packs rows o … o+7 of W [O][rowLength] as columns of a panel matrix [K][O]. */
@inline
export function packPanel(w: usize, out: usize, o: i32, O: i32, K: i32, rowLength: i32): void {
  const ld = <usize>rowLength << 2, step = <usize>panelWidth(o, O) << 2;
  out = panelAt(out, o, K);
  for (let k = 0; k < K; k++) {
    let q = w + (<usize>k << 2);
    for (let v: usize = 0; v < 32; v += 4) {
      store<f32>(out + v, load<f32>(q));
      q += ld;
    }
    out += step;
  }
}

/** Writes row o of W [O][K] into the panel matrix [O][K]. */
@inline
export function packColumns(row: usize, out: usize, o: i32, O: i32, K: i32): void {
  for (let k = 0; k < K; k += 8) {
    const d = panelAt(out, k, O) + (<usize>(o * panelWidth(k, K)) << 2), s = row + (<usize>k << 2);
    const a = v128.load(s), b = v128.load(s, 16);
    v128.store(d, a);
    v128.store(d, b, 16);
  }
}

/** a [rows][C] → tiles of `mr` columns [⌈C/mr⌉][rows][mr]; the last tile ends with the last column. */
export function packTiles(a: usize, out: usize, rows: i32, C: i32, mr: i32): void {
  const tile = <usize>(rows * mr) << 2;
  for (let k = 0; k < rows; k++) {
    const row = a + (<usize>(k * C) << 2);
    let o = out + (<usize>(k * mr) << 2);
    for (let i = 0; i < C; i += mr) {
      const s = row + (<usize>min(i, C - mr) << 2);
      v128.store(o, v128.load(s));
      if (mr == 6) store<f64>(o, load<f64>(s, 16), 16);
      o += tile;
    }
  }
}

/** b [rows][C] as panel matrix. */
export function packRowPanels(b: usize, out: usize, rows: i32, C: i32): void {
  for (let k = 0; k < rows; k++) packColumns(b + (<usize>(k * C) << 2), out, k, rows, C);
}

/** W [O][ld], its first K columns → panel matrix [K][O]: 1 W, 2 out, 3 O, 4 K, 5 ld. */
export function packRows(p: usize, tid: i32, nt: i32): void {
  const W = ptr(p, 1), O = int(p, 3), K = int(p, 4), ld = int(p, 5), o1 = share(O, 8, tid + 1, nt);
  for (let o = share(O, 8, tid, nt); o < o1; o += 8) packPanel(W + (<usize>(o * ld) << 2), ptr(p, 2), o, O, K, ld);
}

/** W [O][K] → panel matrix [O][K]: 1 W, 2 out, 3 O, 4 K. */
export function packAllColumns(p: usize, tid: i32, nt: i32): void {
  const W = ptr(p, 1), out = ptr(p, 2), O = int(p, 3), K = int(p, 4), o1 = share(O, 8, tid + 1, nt);
  for (let o = share(O, 8, tid, nt); o < o1; o++) packColumns(W + (<usize>(o * K) << 2), out, o, O, K);
}

/**
 * Patches of a dense convolution, one row a position, taps in (ky, kx, channel) order, the tail zero:
 * 1 x [N, H, W, cs], 2 out [N·OH·OW, K], 3 N, 4 H, 5 W, 6 cs, 7 OH, 8 OW, 9 kh, 10 kw, 11 stride, 12 top, 13 left, 14 dilation, 15 K.
 */
export function im2col(p: usize, tid: i32, nt: i32): void {
  const rows = int(p, 3) * int(p, 7), rowBytes = <usize>(int(p, 8) * int(p, 15)) << 2, r1 = share(rows, 1, tid + 1, nt);
  for (let r = share(rows, 1, tid, nt); r < r1; r++) patchesOfRow(p, r, ptr(p, 2) + <usize>r * rowBytes);
}

/** The patches of output row r (over all images) → out [OW][K]; arguments as in im2col. */
export function patchesOfRow(p: usize, r: i32, out: usize): void {
  const x = ptr(p, 1), H = int(p, 4), W = int(p, 5), cs = int(p, 6), OH = int(p, 7), OW = int(p, 8);
  const kh = int(p, 9), kw = int(p, 10), stride = int(p, 11), top = int(p, 12), left = int(p, 13), dilation = int(p, 14), K = int(p, 15);
  const pixel = <usize>cs << 2, iy = (r % OH) * stride - top, image = x + <usize>((r / OH) * H * W) * pixel;
  for (let ox = 0; ox < OW; ox++) {
    const end = out + (<usize>K << 2), ix = ox * stride - left;
    const columnsInside = dilation == 1 && ix >= 0 && ix + kw <= W;
    for (let ky = 0; ky < kh; ky++) {
      const y = iy + ky * dilation, rowInside = y >= 0 && y < H;
      if (columnsInside && rowInside) {
        copyRow(out, image + <usize>(y * W + ix) * pixel, kw * cs, end);
        out += <usize>kw * pixel;
        continue;
      }
      for (let kx = 0; kx < kw; kx++) {
        const xx = ix + kx * dilation;
        if (rowInside && xx >= 0 && xx < W) copyFloats(out, image + <usize>(y * W + xx) * pixel, cs);
        else zeroFloats(out, cs);
        out += pixel;
      }
    }
    zeroFloats(out, <i32>((end - out) >> 2));
    out = end;
  }
}

/** Copies n floats; a row of a three-channel 3 × 3 patch as three vectors, of which three floats too many are overwritten next. */
@inline
function copyRow(out: usize, from: usize, n: i32, end: usize): void {
  if (n == 9 && out + 48 <= end) {
    v128.store(out, v128.load(from));
    v128.store(out, v128.load(from, 16), 16);
    v128.store(out, v128.load(from, 32), 32);
  } else copyFloats(out, from, n);
}

@inline
function copyFloats(out: usize, from: usize, n: i32): void {
  for (; n >= 8; n -= 8) {
    const a = v128.load(from), b = v128.load(from, 16);
    v128.store(out, a);
    v128.store(out, b, 16);
    out += 32;
    from += 32;
  }
  for (; n > 0; n--) { store<f32>(out, load<f32>(from)); out += 4; from += 4; }
}

@inline
function zeroFloats(out: usize, n: i32): void {
  for (; n >= 4; n -= 4) { v128.store(out, f32x4.splat(0)); out += 16; }
  for (; n > 0; n--) { store<f32>(out, 0); out += 4; }
}

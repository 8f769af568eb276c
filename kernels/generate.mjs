/**
 * Writes the unrolled tiles (AssemblyScript has no macros): generated/gemm.ts, correlate.ts, depthwise-rows.ts.
 * What was measured to win: a tile of MR rows × 8 columns held in registers, loop body written once, one pointer a row,
 * `load32_splat` for the row operand; depthwise rows in blocks of NB outputs, channels innermost, kernel rows as a loop.
 * Tiles of 6 rows are best where V8 keeps 15 vectors in registers (Node 24), 4 rows where it spills (Node 20).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { depthwiseRows } from './generate-depthwise.mjs';

const range = (n) => [...Array(n).keys()];
const join = (n, fn) => range(n).map(fn).join(' ');
export const TILE_ROWS = [6, 4, 1];

/** The k loop of a tile: c[m][v] += row m of A (pointers a0 …) times the panel at `b` ([K][8]). */
function tileLoop(mr, count) {
  return `for (let k = ${count}; k > 0; k--) {
        const b0 = v128.load(b), b1 = v128.load(b, 16); let x: v128;
        ${join(mr, (m) => `x = v128.load32_splat(a${m}); c${m}_0 = fma(x, b0, c${m}_0); c${m}_1 = fma(x, b1, c${m}_1);`)}
        b += 32; ${join(mr, (m) => `a${m} += 4;`)}
      }`;
}

/** Y[r0..r1, N] = max(X · Wp + bias, lo); Wp in panels [N/8][K][8]; ldx, ldy are row strides in bytes. */
function gemm(mr) {
  return `
function gemm${mr}(x: usize, ldx: usize, wp: usize, bias: usize, y: usize, ldy: usize, r0: i32, r1: i32, K: i32, N: i32, lo: v128): void {
  for (let s0 = r0; s0 < r1; s0 += ROW_BLOCK) {
    const s1 = min(s0 + ROW_BLOCK, r1);
    for (let j = 0; j < N; j += 8) {
      const bias0 = v128.load(bias + (j << 2)), bias1 = v128.load(bias + (j << 2), 16);
      for (let i = s0; i < s1; i += ${mr}) {
        const row = max(min(i, s1 - ${mr}), r0);
        let b = wp + (<usize>(j * K) << 2), a0 = x + <usize>row * ldx;
        ${join(mr - 1, (m) => `let a${m + 1} = a${m} + ldx;`)}
        ${join(mr, (m) => `let c${m}_0 = bias0, c${m}_1 = bias1;`)}
      ${tileLoop(mr, 'K')}
        let out = y + <usize>row * ldy + (<usize>j << 2);
        ${join(mr, (m) => `v128.store(out, f32x4.max(c${m}_0, lo)); v128.store(out, f32x4.max(c${m}_1, lo), 16); out += ldy;`)}
      }
    }
  }
}`;
}

/** dX = (dZ · Wq + X · D + constant), zero where the matrix `mask` (0: none) is not positive. Wq in panels [K/8][O][8], D in panels [K/8][K][8]. */
function gemmInputGrad(mr) {
  return `
function gemmInputGrad${mr}(dz: usize, wq: usize, x: usize, d: usize, constant: usize, dx: usize, r0: i32, r1: i32, K: i32, O: i32, mask: usize): void {
  const ldx = <usize>K << 2, ldz = <usize>O << 2; const zero = f32x4.splat(0);
  for (let s0 = r0; s0 < r1; s0 += ROW_BLOCK) {
    const s1 = min(s0 + ROW_BLOCK, r1);
    for (let j = 0; j < K; j += 8) {
      const bias0 = v128.load(constant + (j << 2)), bias1 = v128.load(constant + (j << 2), 16);
      for (let i = s0; i < s1; i += ${mr}) {
        const row = max(min(i, s1 - ${mr}), r0);
        let b = wq + (<usize>(j * O) << 2), a0 = dz + <usize>row * ldz;
        ${join(mr - 1, (m) => `let a${m + 1} = a${m} + ldz;`)}
        ${join(mr, (m) => `let c${m}_0 = bias0, c${m}_1 = bias1;`)}
      ${tileLoop(mr, 'O')}
        b = d + (<usize>(j * K) << 2); a0 = x + <usize>row * ldx;
        ${join(mr - 1, (m) => `a${m + 1} = a${m} + ldx;`)}
      ${tileLoop(mr, 'K')}
        let out = dx + <usize>row * ldx + (<usize>j << 2), px = mask + <usize>row * ldx + (<usize>j << 2);
        if (mask) {
          ${join(mr, (m) => `v128.store(out, v128.and(c${m}_0, f32x4.gt(v128.load(px), zero))); v128.store(out, v128.and(c${m}_1, f32x4.gt(v128.load(px, 16), zero)), 16); out += ldx; px += ldx;`)}
        } else {
          ${join(mr, (m) => `v128.store(out, c${m}_0); v128.store(out, c${m}_1, 16); out += ldx;`)}
        }
      }
    }
  }
}`;
}

/** S[Ca, Cb] += A[n, Ca]ᵀ · B[n, Cb], in blocks of RB rows; \`upper\` leaves out tiles wholly below the diagonal. */
function correlate(mr) {
  return `
function correlate${mr}(a: usize, b: usize, s: usize, n: i32, Ca: i32, Cb: i32, RB: i32, upper: i32): void {
  const lda = <usize>Ca << 2, ldb = <usize>Cb << 2;
  for (let r0 = 0; r0 < n; r0 += RB) {
    const rows = min(n - r0, RB);
    const ab = a + <usize>r0 * lda, bb = b + <usize>r0 * ldb;
    for (let j = 0; j < Cb; j += 8) {
      const iEnd = upper ? min(j + 8, Ca) : Ca;
      for (let i = 0; i < iEnd; i += ${mr}) {
        const ii = min(i, Ca - ${mr});
        let pa = ab + (<usize>ii << 2), pb = bb + (<usize>j << 2);
        ${join(mr, (m) => `let c${m}_0 = f32x4.splat(0), c${m}_1 = c${m}_0;`)}
        for (let k = rows; k > 0; k--) {
          const b0 = v128.load(pb), b1 = v128.load(pb, 16); let x: v128;
          ${join(mr, (m) => `x = v128.load32_splat(pa, ${4 * m}); c${m}_0 = fma(x, b0, c${m}_0); c${m}_1 = fma(x, b1, c${m}_1);`)}
          pa += lda; pb += ldb;
        }
        const done = i - ii;
        let out = s + (<usize>(ii * Cb + j) << 2);
        ${join(mr, (m) => `if (done <= ${m}) { v128.store(out, f32x4.add(v128.load(out), c${m}_0)); v128.store(out, f32x4.add(v128.load(out, 16), c${m}_1), 16); } out += ldb;`)}
      }
    }
  }
}`;
}

/** Chooses the tile by TILE (set at start-up from a short self-timing) and by how many rows there are. */
const dispatch = (name, signature, args, rows) => `
export function ${name}(${signature}): void {
  if (TILE == 6 && ${rows} >= 6) ${name}6(${args});
  else if (${rows} >= 4) ${name}4(${args});
  else ${name}1(${args});
}`;

const header = '// Written by kernels/generate.mjs; do not edit.\n';
const tiles = (make) => TILE_ROWS.map(make).join('\n');

mkdirSync(new URL('generated', import.meta.url), { recursive: true });
const write = (file, text) => writeFileSync(new URL(`generated/${file}`, import.meta.url), header + text);

write(
  'gemm.ts',
  `import { fma } from '../vector';
import { TILE } from '../tile';
const ROW_BLOCK: i32 = 48;
${tiles(gemm)}
${tiles(gemmInputGrad)}
${dispatch('gemm', 'x: usize, ldx: usize, wp: usize, bias: usize, y: usize, ldy: usize, r0: i32, r1: i32, K: i32, N: i32, lo: v128', 'x, ldx, wp, bias, y, ldy, r0, r1, K, N, lo', 'r1 - r0')}
${dispatch('gemmInputGrad', 'dz: usize, wq: usize, x: usize, d: usize, constant: usize, dx: usize, r0: i32, r1: i32, K: i32, O: i32, mask: usize', 'dz, wq, x, d, constant, dx, r0, r1, K, O, mask', 'r1 - r0')}
`,
);
write(
  'correlate.ts',
  `import { fma } from '../vector';
import { TILE } from '../tile';
${tiles(correlate)}
${dispatch('correlate', 'a: usize, b: usize, s: usize, n: i32, Ca: i32, Cb: i32, RB: i32, upper: i32', 'a, b, s, n, Ca, Cb, RB, upper', 'Ca')}
`,
);
write('depthwise-rows.ts', depthwiseRows());

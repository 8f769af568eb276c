/**
 * Writes the unrolled tiles (AssemblyScript has no macros): generated/{width,gemm,correlate,depthwise-rows}.ts.
 * What was measured to win: a tile of MR rows × a few vectors held in registers, loop body written once, one pointer a row,
 * `load32_splat` for the row operand; depthwise rows in blocks of NB outputs, channels innermost, kernel rows as a loop.
 *
 * 128 bit: tiles of 8 columns; 6 rows are best where V8 keeps 15 vectors in registers (Node 24), 4 rows where it spills (Node 20).
 * Wide: V8's revectorizer merges neighboring vectors into 256 bits, so a tile has 6 rows × 16 columns and depthwise rows go
 * eight channels at a time. It merges a group of neighboring stores only if all loads of the group stand before the first of them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { depthwiseRows } from './generate-depthwise.mjs';

const range = (n) => [...Array(n).keys()];
const join = (n, fn) => range(n).map(fn).join(' ');
const list = (n, fn) => range(n).map(fn).join(', ');
const byte = (v) => (v ? `, ${16 * v}` : '');

/** c0_0, c0_1, … of row m, each from `value(v)`. */
const accumulators = (mr, nv, value) => join(mr, (m) => `let ${list(nv, (v) => `c${m}_${v} = ${value(v)}`)};`);
const loads = (name, nv, pointer) => `const ${list(nv, (v) => `${name}${v} = v128.load(${pointer}${byte(v)})`)};`;
const multiply = (m, nv) => join(nv, (v) => `c${m}_${v} = fma(x, b${v}, c${m}_${v});`);

/** The k loop of a tile: c[m][v] += row m of A (pointers a0 …) times the panel at `b` ([K][4·nv]). */
function tileLoop(mr, nv, count) {
  return `for (let k = ${count}; k > 0; k--) {
        ${loads('b', nv, 'b')} let x: v128;
        ${join(mr, (m) => `x = v128.load32_splat(a${m}); ${multiply(m, nv)}`)}
        b += ${16 * nv}; ${join(mr, (m) => `a${m} += 4;`)}
      }`;
}

/** Y[r0..r1, j0..j1] = max(X · Wp + bias, least); Wp in panels [N/n][K][n] of n = 4·nv columns; ldx, ldy are row strides in bytes. */
function gemm(mr, nv) {
  return `
function gemm${mr}x${4 * nv}(x: usize, ldx: usize, wp: usize, bias: usize, y: usize, ldy: usize, r0: i32, r1: i32, K: i32, j0: i32, j1: i32, least: f32): void {
  const lo = f32x4.splat(least);
  let s1 = r0;
  for (let s0 = r0; s0 < r1; s0 = s1) {
    s1 = blockEnd(s0, r1);
    for (let j = j0; j < j1; j += ${4 * nv}) {
      ${loads('bias', nv, 'bias + (j << 2)')}
      for (let i = s0; i < s1; i += ${mr}) {
        const row = max(min(i, s1 - ${mr}), r0);
        let b = wp + (<usize>(j * K) << 2), a0 = x + <usize>row * ldx;
        ${join(mr - 1, (m) => `let a${m + 1} = a${m} + ldx;`)}
        ${accumulators(mr, nv, (v) => `bias${v}`)}
      ${tileLoop(mr, nv, 'K')}
        let out = y + <usize>row * ldy + (<usize>j << 2);
        ${join(mr, (m) => `${join(nv, (v) => `v128.store(out, f32x4.max(c${m}_${v}, lo)${byte(v)});`)} out += ldy;`)}
      }
    }
  }
}`;
}

/** The same for single rows: four panels at a time, whose loads overlap (a row of activations needs the whole matrix). */
function gemmRow(nv) {
  const n = 4 * nv;
  return `
function gemmRow(x: usize, ldx: usize, wp: usize, bias: usize, y: usize, ldy: usize, r0: i32, r1: i32, K: i32, j0: i32, j1: i32, least: f32): void {
  const lo = f32x4.splat(least), j4 = j0 + ((j1 - j0) / ${4 * n}) * ${4 * n}, panel = <usize>K * ${4 * n};
  for (let row = r0; row < r1; row++) {
    for (let j = j0; j < j4; j += ${4 * n}) {
      let a = x + <usize>row * ldx, b = wp + (<usize>(j * K) << 2), q = bias + (j << 2);
      ${join(4, (p) => `let b${p} = b + ${p} * panel;`)}
      ${join(4, (p) => `let ${list(nv, (v) => `c${p}_${v} = v128.load(q${byte(nv * p + v)})`)};`)}
      for (let k = K; k > 0; k--) {
        const x = v128.load32_splat(a); a += 4;
        ${join(4, (p) => `{ ${loads('w', nv, `b${p}`)} ${join(nv, (v) => `c${p}_${v} = fma(x, w${v}, c${p}_${v});`)} b${p} += ${4 * n}; }`)}
      }
      const out = y + <usize>row * ldy + (<usize>j << 2);
      ${join(4, (p) => join(nv, (v) => `v128.store(out, f32x4.max(c${p}_${v}, lo)${byte(nv * p + v)});`))}
    }
  }
  if (j4 < j1) gemm1x${n}(x, ldx, wp, bias, y, ldy, r0, r1, K, j4, j1, least);
}`;
}

/** dX = (dZ · Wq + X · D + constant), zero where the matrix \`mask\` (0: none) is not positive. Wq in panels [K/n][O][n], D in panels [K/n][K][n]. */
function gemmInputGrad(mr, nv) {
  return `
function gemmInputGrad${mr}x${4 * nv}(dz: usize, wq: usize, x: usize, d: usize, constant: usize, dx: usize, r0: i32, r1: i32, K: i32, O: i32, j0: i32, j1: i32, mask: usize): void {
  const ldx = <usize>K << 2, ldz = <usize>O << 2; const zero = f32x4.splat(0);
  let s1 = r0;
  for (let s0 = r0; s0 < r1; s0 = s1) {
    s1 = blockEnd(s0, r1);
    for (let j = j0; j < j1; j += ${4 * nv}) {
      ${loads('bias', nv, 'constant + (j << 2)')}
      for (let i = s0; i < s1; i += ${mr}) {
        const row = max(min(i, s1 - ${mr}), r0);
        let b = wq + (<usize>(j * O) << 2), a0 = dz + <usize>row * ldz;
        ${join(mr - 1, (m) => `let a${m + 1} = a${m} + ldz;`)}
        ${accumulators(mr, nv, (v) => `bias${v}`)}
      ${tileLoop(mr, nv, 'O')}
        b = d + (<usize>(j * K) << 2); a0 = x + <usize>row * ldx;
        ${join(mr - 1, (m) => `a${m + 1} = a${m} + ldx;`)}
      ${tileLoop(mr, nv, 'K')}
        let out = dx + <usize>row * ldx + (<usize>j << 2), px = mask + <usize>row * ldx + (<usize>j << 2);
        if (mask) {
          ${join(mr, (m) => `{ ${loads('p', nv, 'px')} ${join(nv, (v) => `v128.store(out, v128.and(c${m}_${v}, f32x4.gt(p${v}, zero))${byte(v)});`)} out += ldx; px += ldx; }`)}
        } else {
          ${join(mr, (m) => `${join(nv, (v) => `v128.store(out, c${m}_${v}${byte(v)});`)} out += ldx;`)}
        }
      }
    }
  }
}`;
}

/** S[Ca, j0..j1] += A[n, Ca]ᵀ · B[n, Cb], in blocks of RB rows; \`upper\` leaves out tiles wholly below the diagonal. */
function correlate(mr, nv) {
  return `
function correlate${mr}x${4 * nv}(a: usize, b: usize, s: usize, n: i32, Ca: i32, Cb: i32, RB: i32, upper: i32, j0: i32, j1: i32): void {
  const lda = <usize>Ca << 2, ldb = <usize>Cb << 2;
  for (let r0 = 0; r0 < n; r0 += RB) {
    const rows = min(n - r0, RB);
    const ab = a + <usize>r0 * lda, bb = b + <usize>r0 * ldb;
    for (let j = j0; j < j1; j += ${4 * nv}) {
      const iEnd = upper ? min(j + ${4 * nv}, Ca) : Ca;
      for (let i = 0; i < iEnd; i += ${mr}) {
        const ii = min(i, Ca - ${mr});
        let pa = ab + (<usize>ii << 2), pb = bb + (<usize>j << 2);
        ${accumulators(mr, nv, () => 'f32x4.splat(0)')}
        for (let k = rows; k > 0; k--) {
          ${loads('b', nv, 'pb')} let x: v128;
          ${join(mr, (m) => `x = v128.load32_splat(pa, ${4 * m}); ${multiply(m, nv)}`)}
          pa += lda; pb += ldb;
        }
        const done = i - ii;
        let out = s + (<usize>(ii * Cb + j) << 2);
        ${join(mr, (m) => `if (done <= ${m}) { ${loads('o', nv, 'out')} ${join(nv, (v) => `v128.store(out, f32x4.add(o${v}, c${m}_${v})${byte(v)});`)} } out += ldb;`)}
      }
    }
  }
}`;
}

/**
 * The same from packed operands of one block of rows: A in tiles [⌈Ca/MR⌉][rows][MR] (the last one overlaps), B in panels [Cb/n][rows][n].
 * Wide matrices want this: rows a power of two apart fall on a few sets of the first cache.
 */
function correlatePacked(mr, nv) {
  const n = 4 * nv;
  return `
function correlatePacked${mr}x${n}(a: usize, b: usize, s: usize, rows: i32, Ca: i32, Cb: i32, upper: i32, j0: i32, j1: i32): void {
  const ldb = <usize>Cb << 2, tile = <usize>rows * ${4 * mr};
  for (let j = j0; j < j1; j += ${n}) {
    const iEnd = upper ? min(j + ${n}, Ca) : Ca, panel = b + (<usize>(j * rows) << 2);
    let pa = a;
    for (let i = 0; i < iEnd; i += ${mr}) {
      const ii = min(i, Ca - ${mr});
      let pb = panel;
      ${accumulators(mr, nv, () => 'f32x4.splat(0)')}
      for (let k = rows; k > 0; k--) {
        ${loads('b', nv, 'pb')} let x: v128;
        ${join(mr, (m) => `x = v128.load32_splat(pa, ${4 * m}); ${multiply(m, nv)}`)}
        pa += ${4 * mr}; pb += ${4 * n};
      }
      const done = i - ii;
      let out = s + (<usize>(ii * Cb + j) << 2);
      ${join(mr, (m) => `if (done <= ${m}) { ${loads('o', nv, 'out')} ${join(nv, (v) => `v128.store(out, f32x4.add(o${v}, c${m}_${v})${byte(v)});`)} } out += ldb;`)}
    }
  }
}`;
}

/**
 * Splits the columns into panels of the tile's width and a last one of eight, and chooses the tile's rows by how many there
 * are (`rows` empty: enough for any); with 128 bits also by TILE (set at start-up from a short self-timing).
 */
function dispatch(name, signature, args, rows, columns, wide) {
  const call = (mr, n, from, to) => {
    const tile = name === 'gemm' && mr === 1 && n === (wide ? 16 : 8) ? 'gemmRow' : `${name}${mr}x${n}`;
    return `${tile}(${args.replace('$j', `${from}, ${to}`)})`;
  };
  const choose = (n, from, to) => {
    if (!rows)
      return wide ? call(6, n, from, to) : `if (TILE == 6) ${call(6, n, from, to)}; else ${call(4, n, from, to)};`;
    return wide
      ? `if (${rows} >= 6) ${call(6, n, from, to)}; else ${call(1, n, from, to)};`
      : `if (TILE == 6 && ${rows} >= 6) ${call(6, n, from, to)}; else if (${rows} >= 4) ${call(4, n, from, to)}; else ${call(1, n, from, to)};`;
  };
  const body = wide
    ? `const whole = ${columns} & ~15;
  if (whole) { ${choose(16, 0, 'whole')} }
  if (whole < ${columns}) { ${choose(8, 'whole', columns)} }`
    : choose(8, 0, columns);
  return `
export function ${name}(${signature}): void {
  ${body}
}`;
}

const header = '// Written by kernels/generate.mjs; do not edit.\n';

/** Writes all generated sources for one build; `wide`: for V8's revectorizer; `full`: with the instructions of a training step and of other networks. */
export function generate({ wide, full }) {
  const shapes = wide
    ? [6, 1].flatMap((mr) => [
        [mr, 4],
        [mr, 2],
      ])
    : [6, 4, 1].map((mr) => [mr, 2]);
  const tiles = (make) => shapes.map(([mr, nv]) => make(mr, nv)).join('\n');
  const imports = `import { fma } from '../vector';${wide ? '' : `\nimport { TILE } from '../tile';`}`;
  mkdirSync(new URL('generated', import.meta.url), { recursive: true });
  const write = (file, text) => writeFileSync(new URL(`generated/${file}`, import.meta.url), header + text);

  write('width.ts', `/** Columns of a panel of packed kernels. */\nexport const PANEL: i32 = ${wide ? 16 : 8};\n`);
  write(
    'full.ts',
    `/** Whether this build has the instructions of a training step and of networks other than MobileOne. */\nexport const FULL: bool = ${full};\n`,
  );
  write(
    'gemm.ts',
    `${imports}
/** Rows go in blocks of 24 (they stay in the first cache beside a panel); a rest of up to 12 joins the block before it, so that panels are not fetched again for a few rows. */
@inline
function blockEnd(s0: i32, r1: i32): i32 {
  return r1 - s0 <= 36 ? r1 : s0 + 24;
}
${tiles(gemm)}
${gemmRow(wide ? 4 : 2)}
${tiles(gemmInputGrad)}
${dispatch('gemm', 'x: usize, ldx: usize, wp: usize, bias: usize, y: usize, ldy: usize, r0: i32, r1: i32, K: i32, N: i32, least: f32', 'x, ldx, wp, bias, y, ldy, r0, r1, K, $j, least', 'r1 - r0', 'N', wide)}
${dispatch('gemmInputGrad', 'dz: usize, wq: usize, x: usize, d: usize, constant: usize, dx: usize, r0: i32, r1: i32, K: i32, O: i32, mask: usize', 'dz, wq, x, d, constant, dx, r0, r1, K, O, $j, mask', 'r1 - r0', 'K', wide)}
`,
  );
  write(
    'correlate.ts',
    `${imports}
${tiles(correlate)}
${shapes
  .filter(([mr]) => mr > 1)
  .map(([mr, nv]) => correlatePacked(mr, nv))
  .join('\n')}
/** Rows of the tiles that correlatePacked wants A packed in. */
@inline
export function packedTile(): i32 {
  return ${wide ? '6' : 'TILE'};
}
${dispatch('correlatePacked', 'a: usize, b: usize, s: usize, rows: i32, Ca: i32, Cb: i32, upper: i32', 'a, b, s, rows, Ca, Cb, upper, $j', '', 'Cb', wide)}
${dispatch('correlate', 'a: usize, b: usize, s: usize, n: i32, Ca: i32, Cb: i32, RB: i32, upper: i32', 'a, b, s, n, Ca, Cb, RB, upper, $j', 'Ca', 'Cb', wide)}
`,
  );
  write('depthwise-rows.ts', depthwiseRows(wide ? 2 : 1));
}

/**
 * The depthwise row kernels. Every kernel handles one row; channels are innermost, four at a time; a row is cut into
 * blocks of 7, 4, 2 and 1 outputs held in registers, while the input columns are walked once.
 * `C4` is the channel stride of one pixel in bytes. Rows named "padded" have zero pixels on both sides.
 */
const range = (n) => [...Array(n).keys()];
const join = (n, fn) => range(n).map(fn).join(' ');
const BLOCKS = [7, 4, 2, 1];

/** `for` the blocks of a row: calls `fn(block)` with the running output index `x`. */
const blocks = (end, call) =>
  BLOCKS.map((nb) => `while (x + ${nb} <= ${end}) { ${call(nb)} x += ${nb}; }`).join('\n  ');

/** Columns [from, to) walked once: loads z and adds z · weight(offset) to every output it touches. */
function walk(nb, step, from, to, weight, accumulator = (o) => `a${o}`) {
  const lines = [];
  for (let column = from; column <= step * (nb - 1) + to; column++) {
    const uses = range(nb)
      .map((o) => [o, column - step * o])
      .filter(([, tap]) => tap >= from && tap <= to && weight(tap));
    lines.push(
      uses.length
        ? `z = v128.load(p); p += C4; ${uses.map(([o, tap]) => `${accumulator(o)} = fma(z, ${weight(tap)}, ${accumulator(o)});`).join(' ')}`
        : 'p += C4;',
    );
  }
  return lines.join('\n      ');
}

/** Forward of `nb` outputs whose taps are all inside the row. r: row above (k0 rows skipped), first tap column. */
const forwardBlock = (stride, nb) => `
function forward${stride}x${nb}(r: usize, rs: usize, w: usize, bias: usize, y: usize, k0: i32, k1: i32, C4: usize, lo: v128): void {
  for (let c: usize = 0; c < C4; c += 16) {
    const bv = v128.load(bias + c);
    let ${range(nb)
      .map((o) => `a${o} = bv`)
      .join(', ')};
    let row = r + c, pw = w + c + <usize>(k0 * 3) * C4;
    for (let k = k0; k < k1; k++) {
      let p = row, z: v128;
      const w0 = v128.load(pw), w1 = v128.load(pw + C4), w2 = v128.load(pw + C4 + C4);
      ${walk(nb, stride, 0, 2, (t) => `w${t}`)}
      row += rs; pw += 3 * C4;
    }
    let out = y + c;
    ${join(nb, (o) => `v128.store(out, f32x4.max(a${o}, lo)); out += C4;`)}
  }
}`;

const forwardEdge = `
/** One output at a border: taps outside the image are left out. */
function forwardEdge(x: usize, rs: usize, w: usize, bias: usize, y: usize, k0: i32, k1: i32, ix: i32, W: i32, C4: usize, lo: v128): void {
  const x0 = ix < 0 ? 1 : 0, x1 = min(3, W - ix);
  for (let c: usize = 0; c < C4; c += 16) {
    let a = v128.load(bias + c);
    for (let k = k0; k < k1; k++) for (let t = x0; t < x1; t++)
      a = fma(v128.load(x + c + <usize>(k - k0) * rs + <usize>(ix + t) * C4), v128.load(w + c + <usize>(k * 3 + t) * C4), a);
    v128.store(y + c, f32x4.max(a, lo));
  }
}`;

/** Row oy of the 3×3 depthwise convolution, padding 1, without copies. */
const forwardRow = (stride) => `
export function forwardRow${stride}(image: usize, w: usize, bias: usize, y: usize, oy: i32, H: i32, W: i32, OW: i32, C4: usize, lo: v128): void {
  const rs = <usize>W * C4, iy = oy * ${stride} - 1, k0 = iy < 0 ? 1 : 0, k1 = min(3, H - iy);
  const rows = image + <usize>(iy + k0) * rs;
  forwardEdge(rows, rs, w, bias, y, k0, k1, -1, W, C4, lo);
  let x = 1; const inner = (W - 2) / ${stride} + (W >= 2 ? 1 : 0); // outputs whose last tap is inside: ${stride}x + 1 < W
  const end = min(inner, OW);
  ${blocks('end', (nb) => `forward${stride}x${nb}(rows + <usize>(x * ${stride} - 1) * C4, rs, w, bias, y + <usize>x * C4, k0, k1, C4, lo);`)}
  for (; x < OW; x++) forwardEdge(rows, rs, w, bias, y + <usize>x * C4, k0, k1, x * ${stride} - 1, W, C4, lo);
}`;

/** Five lags −2 … 2 (or 0 … 2) of one padded row against another, summed over the row. */
const lagBlock = (nb, first) => `{
      let p = u; ${join(nb, (q) => `const x${q} = v128.load(p); p += C4;`)}
      p = v${first ? ` - ${-first} * C4` : ''}; let z: v128;
      ${range(nb + 2 - first)
        .map((i) => {
          const column = i + first;
          const uses = range(nb)
            .map((q) => [q, column - q])
            .filter(([, d]) => d >= first && d <= 2);
          return `z = v128.load(p); p += C4; ${uses.map(([q, d]) => `l${d - first} = fma(x${q}, z, l${d - first});`).join(' ')}`;
        })
        .join('\n      ')}
      u += ${nb} * C4; v += ${nb} * C4;
    }`;

/** acc += lags of padded row u0 against v0; \`alone\`: lags 0 … 2 and the sum of the row into acc[sum]. */
const lagRow = (name, first) => `
export function ${name}(u0: usize, v0: usize, W: i32, C4: usize, acc: usize): void {
  for (let c: usize = 0; c < C4; c += 16) {
    let u = u0 + c, v = v0 + c, x = 0;
    let ${range(3 - first)
      .map((i) => `l${i} = f32x4.splat(0)`)
      .join(', ')};
    ${BLOCKS.map((nb) => `while (x + ${nb} <= W) { ${lagBlock(nb, first)} x += ${nb}; }`).join('\n    ')}
    let out = acc + c;
    ${join(3 - first, (i) => `v128.store(out, f32x4.add(v128.load(out), l${i})); out += C4;`)}
  }
}`;

/** Stride 2: products of the three taps of a padded row with each other (u = v: 6 and 3 sums) or with another row's (9). */
const stride2Products = `
/** out[6 products uu, uv, ut, vv, vt, tt][3 sums], rows of C4 bytes; r: first tap of the first output. */
export function productsOfRow(r: usize, OW: i32, C4: usize, out: usize): void {
  for (let c: usize = 0; c < C4; c += 16) {
    let p = r + c; const zero = f32x4.splat(0);
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, su = zero, sv = zero, st = zero;
    let u = v128.load(p); p += C4;
    for (let n = OW; n > 0; n--) {
      const v = v128.load(p); p += C4; const t = v128.load(p); p += C4;
      a0 = fma(u, u, a0); a1 = fma(u, v, a1); a2 = fma(u, t, a2); a3 = fma(v, v, a3); a4 = fma(v, t, a4); a5 = fma(t, t, a5);
      su = f32x4.add(su, u); sv = f32x4.add(sv, v); st = f32x4.add(st, t);
      u = t;
    }
    let q = out + c;
    ${['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'su', 'sv', 'st'].map((a) => `v128.store(q, f32x4.add(v128.load(q), ${a})); q += C4;`).join(' ')}
  }
}
/** out[9 products of r's tap i with s's tap j]. */
export function productsOfRows(r: usize, s: usize, OW: i32, C4: usize, out: usize): void {
  for (let c: usize = 0; c < C4; c += 16) {
    let p = r + c, q = s + c; const zero = f32x4.splat(0);
    let ${range(9)
      .map((i) => `a${i} = zero`)
      .join(', ')};
    let u = v128.load(p), e = v128.load(q); p += C4; q += C4;
    for (let n = OW; n > 0; n--) {
      const v = v128.load(p); p += C4; const t = v128.load(p); p += C4;
      a0 = fma(u, e, a0); a3 = fma(v, e, a3); a6 = fma(t, e, a6);
      let z = v128.load(q); q += C4; a1 = fma(u, z, a1); a4 = fma(v, z, a4); a7 = fma(t, z, a7);
      z = v128.load(q); q += C4; a2 = fma(u, z, a2); a5 = fma(v, z, a5); a8 = fma(t, z, a8);
      u = t; e = z;
    }
    let o = out + c;
    ${join(9, (i) => `v128.store(o, f32x4.add(v128.load(o), a${i})); o += C4;`)}
  }
}`;

/** Correlations of one padded row with dz: out[3 taps] += Σ x(stride·o + tap − 1) dz(o). r: first tap of output 0. */
const correlateRow = (stride) => `
export function correlateRow${stride}(r: usize, dz: usize, OW: i32, C4: usize, out: usize): void {
  for (let c: usize = 0; c < C4; c += 16) {
    let x = 0, a0 = f32x4.splat(0), a1 = a0, a2 = a0;
    ${blocks(
      'OW',
      (nb) => `{
      let p = dz + c + <usize>x * C4, z: v128; ${join(nb, (o) => `const g${o} = v128.load(p); p += C4;`)}
      p = r + c + <usize>(x * ${stride}) * C4;
      ${range(stride * (nb - 1) + 3)
        .map(
          (column) =>
            `z = v128.load(p); p += C4; ${range(nb)
              .map((o) => [o, column - stride * o])
              .filter(([, t]) => t >= 0 && t < 3)
              .map(([o, t]) => `a${t} = fma(z, g${o}, a${t});`)
              .join(' ')}`,
        )
        .join('\n      ')}
    }`,
    )}
    let q = out + c;
    ${join(3, (i) => `v128.store(q, f32x4.add(v128.load(q), a${i})); q += C4;`)}
  }
}
`;

/**
 * Input gradient of `nb` pixels of one row: 5 rows × 5 (or 3) taps of x by a table, and the taps of dz.
 * Modes: `all` (stride 1), `even` and `odd` columns (stride 2). `rows` is scratch memory with, for x: count and
 * (row pointer, table row) pairs; for dz: count and (row pointer, weight row) pairs, see `depthwise.ts`.
 */
const MODES = {
  all: { step: 1, taps: [-2, 2], dz: { step: 1, from: -1, to: 1, weight: (t) => `w${1 - t}`, used: [0, 1, 2] } },
  even: { step: 2, taps: [-1, 1], dz: { step: 1, from: 0, to: 0, weight: () => 'w1', used: [1] } },
  odd: { step: 2, taps: [-2, 2], dz: { step: 1, from: 0, to: 1, weight: (t) => (t ? 'w0' : 'w2'), used: [0, 2] } },
};

const gradBlock = (mode, nb) => {
  const { step, taps, dz } = MODES[mode];
  const [from, to] = taps;
  const tapNames = range(to - from + 1).map((i) => i + from);
  return `
/** x: offset of output 0 in a padded x row; z: offset of its first dz tap in a padded dz row. */
function grad_${mode}x${nb}(rows: usize, xOffset: usize, zOffset: usize, table: usize, px: usize, out: usize, C4: usize, mask: i32): void {
  const nx = load<i32>(rows), nz = load<i32>(rows, 4); const zero = f32x4.splat(0);
  for (let c: usize = 0; c < C4; c += 16) {
    const constant = v128.load(table + c + 25 * C4);
    let ${range(nb)
      .map((o) => `a${o} = constant`)
      .join(', ')};
    let entry = rows + 8;
    for (let i = 0; i < nx; i++) {
      let p = load<usize>(entry) + xOffset + c - ${-from} * C4, z: v128;
      const w = table + c + load<usize>(entry, 4)${from === -1 ? ' + C4' : ''};
      ${tapNames.map((t, i) => `const t${t - from} = v128.load(w + ${i} * C4);`).join(' ')}
      ${walk(nb, step, from, to, (t) => `t${t - from}`)}
      entry += 8;
    }
    for (let i = 0; i < nz; i++) {
      let p = load<usize>(entry) + zOffset + c, z: v128;
      const w = load<usize>(entry, 4) + c;
      ${dz.used.map((i) => `const w${i} = v128.load(w + ${i} * C4);`).join(' ')}
      ${walk(nb, dz.step, dz.from, dz.to, dz.weight)}
      entry += 8;
    }
    let po = out + c, pm = px + c; const skip = ${step} * C4;
    if (mask) { ${join(nb, (o) => `v128.store(po, v128.and(a${o}, f32x4.gt(v128.load(pm), zero))); po += skip; pm += skip;`)} }
    else { ${join(nb, (o) => `v128.store(po, a${o}); po += skip;`)} }
  }
}`;
};

const gradRun = (mode) => `
/** \`count\` pixels of a row from one class table; strides follow the mode. */
export function grad_${mode}(rows: usize, xOffset: usize, zOffset: usize, table: usize, px: usize, out: usize, count: i32, C4: usize, mask: i32): void {
  let x = 0; const step = ${MODES[mode].step} * C4;
  ${blocks('count', (nb) => `grad_${mode}x${nb}(rows, xOffset + <usize>x * step, zOffset + <usize>x * C4, table, px + <usize>x * step, out + <usize>x * step, C4, mask);`)}
}`;

export function depthwiseRows() {
  return [
    `import { fma } from '../vector';`,
    ...[1, 2].flatMap((stride) => BLOCKS.map((nb) => forwardBlock(stride, nb))),
    forwardEdge,
    forwardRow(1),
    forwardRow(2),
    lagRow('lagsWithin', 0),
    lagRow('lagsBetween', -2),
    stride2Products,
    correlateRow(1),
    correlateRow(2),
    ...Object.keys(MODES).flatMap((mode) => [...BLOCKS.map((nb) => gradBlock(mode, nb)), gradRun(mode)]),
  ].join('\n');
}

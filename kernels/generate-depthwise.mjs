/**
 * The depthwise row kernels. Every kernel handles one row; channels are innermost, four at a time (eight in the wide build); a
 * row is cut into blocks of 7, 4, 2 and 1 outputs held in registers, while the input columns are walked once.
 * `C4` is the channel stride of one pixel in bytes. Rows named "padded" have zero pixels on both sides.
 * A name like a3 stands for V neighboring vectors a3_0, a3_1 …: `define`, `load`, `store` and `fma` below write them all.
 */
const range = (n) => [...Array(n).keys()];
const join = (n, fn) => range(n).map(fn).join(' ');
const BLOCKS = [7, 4, 2, 1];
const byte = (v) => (v ? `, ${16 * v}` : '');

/** All depthwise kernels for channel steps of `V` vectors. */
export function depthwiseRows(V) {
  /** Names `x` as constants loaded from `pointer`. */
  const load = (x, pointer, keyword = 'const') =>
    `${keyword} ${range(V)
      .map((v) => `${x}_${v} = v128.load(${pointer}${byte(v)})`)
      .join(', ')};`;
  const reload = (x, pointer) => join(V, (v) => `${x}_${v} = v128.load(${pointer}${byte(v)});`);
  const define = (names, value) =>
    `let ${names.flatMap((x) => range(V).map((v) => `${x}_${v} = ${value(v)}`)).join(', ')};`;
  const zeros = (names) => define(names, () => 'zero');
  const fma = (a, b, c) => join(V, (v) => `${c}_${v} = fma(${a}_${v}, ${b}_${v}, ${c}_${v});`);
  const sum = (a, c) => join(V, (v) => `${c}_${v} = f32x4.add(${c}_${v}, ${a}_${v});`);
  const copy = (to, from) => join(V, (v) => `${to}_${v} = ${from}_${v};`);
  const store = (pointer, value) => join(V, (v) => `v128.store(${pointer}, ${value(v)}${byte(v)});`);
  /** Memory at `pointer` += x, then on to the next row of statistics. */
  const accumulate = (pointer, x) =>
    `{ ${load('m', pointer)} ${store(pointer, (v) => `f32x4.add(m_${v}, ${x}_${v})`)} ${pointer} += C4; }`;
  const names = (prefix, n) => range(n).map((i) => `${prefix}${i}`);
  const channels = (body) => `for (let c: usize = 0; c < C4; c += ${16 * V}) {
    const zero = f32x4.splat(0);
    ${body}
  }`;

  /** `while` the blocks of a row: calls `call(block)` with the running output index `x`. */
  const blocks = (end, call) =>
    BLOCKS.map((nb) => `while (x + ${nb} <= ${end}) { ${call(nb)} x += ${nb}; }`).join('\n    ');

  /** Columns [from, to) walked once: loads z and adds z · weight(offset) to every output it touches. */
  function walk(nb, step, from, to, weight) {
    const lines = [];
    for (let column = from; column <= step * (nb - 1) + to; column++) {
      const uses = range(nb)
        .map((o) => [o, column - step * o])
        .filter(([, tap]) => tap >= from && tap <= to && weight(tap));
      lines.push(
        uses.length
          ? `${reload('z', 'p')} p += C4; ${uses.map(([o, tap]) => fma('z', weight(tap), `a${o}`)).join(' ')}`
          : 'p += C4;',
      );
    }
    return lines.join('\n      ');
  }
  const declareZ = `let ${range(V)
    .map((v) => `z_${v}: v128`)
    .join(', ')};`;

  /**
   * Forward of `nb` neighboring outputs; r: input column of the first tap of the first one, k0 kernel rows skipped. At the left
   * (right) border of the row the first (last) column lies outside the image and is left out.
   */
  const forwardBlock = (stride, nb, left, right) => {
    const last = stride * (nb - 1) + 2;
    const columns = range(last + 1).filter((column) => !(left && column === 0) && !(right && column === last));
    const uses = (column) => range(nb).filter((o) => column - stride * o >= 0 && column - stride * o <= 2);
    return `
function ${forwardName(stride, nb, left, right)}(r: usize, rs: usize, w: usize, bias: usize, y: usize, k0: i32, k1: i32, C4: usize, least: f32): void {
  const lo = f32x4.splat(least);
  for (let c: usize = 0; c < C4; c += ${16 * V}) {
    ${load('bv', 'bias + c')}
    ${define(names('a', nb), (v) => `bv_${v}`)}
    let row = r + c${left ? ' + C4' : ''}, pw = w + c + <usize>(k0 * 3) * C4;
    for (let k = k0; k < k1; k++) {
      let p = row; ${declareZ}
      ${join(3, (t) => load(`w${t}`, `pw + ${t} * C4`))}
      ${columns
        .map(
          (column) =>
            `${reload('z', 'p')} p += C4; ${uses(column)
              .map((o) => fma('z', `w${column - stride * o}`, `a${o}`))
              .join(' ')}`,
        )
        .join('\n      ')}
      row += rs; pw += 3 * C4;
    }
    let out = y + c;
    ${join(nb, (o) => `${store('out', (v) => `f32x4.max(a${o}_${v}, lo)`)} out += C4;`)}
  }
}`;
  };
  const forwardName = (stride, nb, left, right) => `forward${stride}x${nb}${left ? 'l' : ''}${right ? 'r' : ''}`;
  const forwardBlocks = [1, 2].flatMap((stride) =>
    BLOCKS.flatMap((nb) =>
      [false, true].flatMap((left) => [false, true].map((right) => forwardBlock(stride, nb, left, right))),
    ),
  );

  /** Row oy of the 3×3 depthwise convolution, padding 1, without copies. */
  const forwardRow = (stride) => `
export function forwardRow${stride}(image: usize, w: usize, bias: usize, y: usize, oy: i32, H: i32, W: i32, OW: i32, C4: usize, least: f32): void {
  const rs = <usize>W * C4, iy = oy * ${stride} - 1, k0 = iy < 0 ? 1 : 0, k1 = min(3, H - iy);
  const rows = image + <usize>(iy + k0) * rs, open = (OW - 1) * ${stride} + 1 >= W; // whether the last tap lies outside
  let x = 0;
  while (x < OW) {
    const rest = OW - x, r = rows + <usize>(x * ${stride} - 1) * C4, out = y + <usize>x * C4;
    ${BLOCKS.map((nb) => {
      const call = (left, right) => `${forwardName(stride, nb, left, right)}(r, rs, w, bias, out, k0, k1, C4, least);`;
      return `if (rest >= ${nb}) {
      const right = open && rest == ${nb};
      if (x == 0) { if (right) ${call(true, true)} else ${call(true, false)} }
      else if (right) ${call(false, true)} else ${call(false, false)}
      x += ${nb};
    }`;
    }).join(' else ')}
  }
}`;

  /** Five lags −2 … 2 (or 0 … 2) of one padded row against another, summed over the row. */
  const lagBlock = (nb, first) => `{
      let p = u; ${join(nb, (q) => `${load(`x${q}`, 'p')} p += C4;`)}
      p = v${first ? ` - ${-first} * C4` : ''}; ${declareZ}
      ${range(nb + 2 - first)
        .map((i) => {
          const column = i + first;
          const uses = range(nb)
            .map((q) => [q, column - q])
            .filter(([, d]) => d >= first && d <= 2);
          return `${reload('z', 'p')} p += C4; ${uses.map(([q, d]) => fma(`x${q}`, 'z', `l${d - first}`)).join(' ')}`;
        })
        .join('\n      ')}
      u += ${nb} * C4; v += ${nb} * C4;
    }`;

  /** acc += lags of padded row u0 against v0. */
  const lagRow = (name, first) => `
export function ${name}(u0: usize, v0: usize, W: i32, C4: usize, acc: usize): void {
  ${channels(`let u = u0 + c, v = v0 + c, x = 0;
    ${zeros(names('l', 3 - first))}
    ${BLOCKS.map((nb) => `while (x + ${nb} <= W) { ${lagBlock(nb, first)} x += ${nb}; }`).join('\n    ')}
    let out = acc + c;
    ${join(3 - first, (i) => accumulate('out', `l${i}`))}`)}
}`;

  /** Stride 2: products of the three taps of a padded row with each other (6 and 3 sums) or with another row's (9). */
  const WITHIN = [...names('a', 6), 'su', 'sv', 'st'];
  const stride2Products = `
/** out[6 products uu, uv, ut, vv, vt, tt][3 sums], rows of C4 bytes; r: first tap of the first output. */
export function productsOfRow(r: usize, OW: i32, C4: usize, out: usize): void {
  ${channels(`let p = r + c;
    ${zeros(WITHIN)}
    ${load('u', 'p', 'let')} p += C4;
    for (let n = OW; n > 0; n--) {
      ${load('v', 'p')} p += C4; ${load('t', 'p')} p += C4;
      ${fma('u', 'u', 'a0')} ${fma('u', 'v', 'a1')} ${fma('u', 't', 'a2')} ${fma('v', 'v', 'a3')} ${fma('v', 't', 'a4')} ${fma('t', 't', 'a5')}
      ${sum('u', 'su')} ${sum('v', 'sv')} ${sum('t', 'st')}
      ${copy('u', 't')}
    }
    let q = out + c;
    ${WITHIN.map((a) => accumulate('q', a)).join(' ')}`)}
}
/** out[9 products of r's tap i with s's tap j]. */
export function productsOfRows(r: usize, s: usize, OW: i32, C4: usize, out: usize): void {
  ${channels(`let p = r + c, q = s + c;
    ${zeros(names('a', 9))}
    ${load('u', 'p', 'let')} ${load('e', 'q', 'let')} p += C4; q += C4;
    for (let n = OW; n > 0; n--) {
      ${load('v', 'p')} p += C4; ${load('t', 'p')} p += C4;
      ${fma('u', 'e', 'a0')} ${fma('v', 'e', 'a3')} ${fma('t', 'e', 'a6')}
      ${load('f', 'q')} q += C4; ${fma('u', 'f', 'a1')} ${fma('v', 'f', 'a4')} ${fma('t', 'f', 'a7')}
      ${load('g', 'q')} q += C4; ${fma('u', 'g', 'a2')} ${fma('v', 'g', 'a5')} ${fma('t', 'g', 'a8')}
      ${copy('u', 't')} ${copy('e', 'g')}
    }
    let o = out + c;
    ${join(9, (i) => accumulate('o', `a${i}`))}`)}
}`;

  /** Correlations of one padded row with dz: out[3 taps] += Σ x(stride·o + tap − 1) dz(o). r: first tap of output 0. */
  const correlateRow = (stride) => `
export function correlateRow${stride}(r: usize, dz: usize, OW: i32, C4: usize, out: usize): void {
  ${channels(`let x = 0; ${zeros(names('a', 3))}
    ${blocks(
      'OW',
      (nb) => `{
      let p = dz + c + <usize>x * C4; ${join(nb, (o) => `${load(`g${o}`, 'p')} p += C4;`)}
      p = r + c + <usize>(x * ${stride}) * C4; ${declareZ}
      ${range(stride * (nb - 1) + 3)
        .map(
          (column) =>
            `${reload('z', 'p')} p += C4; ${range(nb)
              .map((o) => [o, column - stride * o])
              .filter(([, t]) => t >= 0 && t < 3)
              .map(([o, t]) => fma('z', `g${o}`, `a${t}`))
              .join(' ')}`,
        )
        .join('\n      ')}
    }`,
    )}
    let q = out + c;
    ${join(3, (i) => accumulate('q', `a${i}`))}`)}
}
`;

  /**
   * Input gradient of `nb` pixels of one row: 5 rows × 5 (or 3) taps of x by a table, and the taps of dz.
   * Modes: `all` (stride 1), `even` and `odd` columns (stride 2). `rows` is scratch memory with, for x: count and
   * (row pointer, table row) pairs; for dz: count and (row pointer, weight row) pairs, see `depthwise-grad.ts`.
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
  const nx = load<i32>(rows), nz = load<i32>(rows, 4);
  ${channels(`${load('constant', 'table + c + 25 * C4')}
    ${define(names('a', nb), (v) => `constant_${v}`)}
    let entry = rows + 8;
    for (let i = 0; i < nx; i++) {
      let p = load<usize>(entry) + xOffset + c - ${-from} * C4; ${declareZ}
      const w = table + c + load<usize>(entry, 4)${from === -1 ? ' + C4' : ''};
      ${tapNames.map((t, i) => load(`t${t - from}`, `w + ${i} * C4`)).join(' ')}
      ${walk(nb, step, from, to, (t) => `t${t - from}`)}
      entry += 8;
    }
    for (let i = 0; i < nz; i++) {
      let p = load<usize>(entry) + zOffset + c; ${declareZ}
      const w = load<usize>(entry, 4) + c;
      ${dz.used.map((i) => load(`w${i}`, `w + ${i} * C4`)).join(' ')}
      ${walk(nb, dz.step, dz.from, dz.to, dz.weight)}
      entry += 8;
    }
    let po = out + c, pm = px + c; const skip = ${step} * C4;
    if (mask) { ${join(nb, (o) => `{ ${load('m', 'pm')} ${store('po', (v) => `v128.and(a${o}_${v}, f32x4.gt(m_${v}, zero))`)} po += skip; pm += skip; }`)} }
    else { ${join(nb, (o) => `${store('po', (v) => `a${o}_${v}`)} po += skip;`)} }`)}
}`;
  };

  /** One pixel (at a border): four channel groups at a time instead of several pixels, so that their sums do not wait for each other. */
  const GROUPS = 4;
  const gradPixel = (mode) => {
    const [from, to] = MODES[mode].taps;
    const { dz } = MODES[mode];
    const dzTaps = range(dz.to - dz.from + 1).map((i) => [i, dz.used.find((w) => dz.weight(i + dz.from) === `w${w}`)]);
    const each = (fn) => join(GROUPS, fn);
    const shift = (g) => (g ? ` + ${16 * V * g}` : '');
    const multiply = (x, w) =>
      each((g) => `{ ${load('z', `${x}${shift(g)}`)} ${load('w', `${w}${shift(g)}`)} ${fma('z', 'w', `a${g}`)} }`);
    return `
function grad_${mode}Pixel(rows: usize, xOffset: usize, zOffset: usize, table: usize, px: usize, out: usize, C4: usize, mask: i32): void {
  const nx = load<i32>(rows), nz = load<i32>(rows, 4), zero = f32x4.splat(0);
  for (let c: usize = 0; c < C4; c += ${16 * V * GROUPS}) {
    const constant = table + c + 25 * C4;
    ${each((g) => load(`a${g}`, `constant${shift(g)}`, 'let'))}
    let entry = rows + 8;
    for (let i = 0; i < nx; i++) {
      let p = load<usize>(entry) + xOffset + c - ${-from} * C4, q = table + c + load<usize>(entry, 4)${from === -1 ? ' + C4' : ''};
      for (let t = ${from}; t <= ${to}; t++) {
        ${multiply('p', 'q')}
        p += C4; q += C4;
      }
      entry += 8;
    }
    for (let i = 0; i < nz; i++) {
      const p = load<usize>(entry) + zOffset + c, q = load<usize>(entry, 4) + c;
      ${dzTaps.map(([i, w]) => multiply(`p + ${i} * C4`, `q + ${w} * C4`)).join('\n      ')}
      entry += 8;
    }
    const po = out + c, pm = px + c;
    if (mask) { ${each((g) => `{ ${load('m', `pm${shift(g)}`)} ${store(`po${shift(g)}`, (v) => `v128.and(a${g}_${v}, f32x4.gt(m_${v}, zero))`)} }`)} }
    else { ${each((g) => store(`po${shift(g)}`, (v) => `a${g}_${v}`))} }
  }
}`;
  };

  const gradRun = (mode) => `
/** \`count\` pixels of a row from one class table; strides follow the mode. */
export function grad_${mode}(rows: usize, xOffset: usize, zOffset: usize, table: usize, px: usize, out: usize, count: i32, C4: usize, mask: i32): void {
  if (count == 1 && C4 % ${16 * V * GROUPS} == 0) { grad_${mode}Pixel(rows, xOffset, zOffset, table, px, out, C4, mask); return; }
  let x = 0; const step = ${MODES[mode].step} * C4;
  ${blocks('count', (nb) => `grad_${mode}x${nb}(rows, xOffset + <usize>x * step, zOffset + <usize>x * C4, table, px + <usize>x * step, out + <usize>x * step, C4, mask);`)}
}`;

  return [
    `import { fma } from '../vector';`,
    ...forwardBlocks,
    forwardRow(1),
    forwardRow(2),
    lagRow('lagsWithin', 0),
    lagRow('lagsBetween', -2),
    stride2Products,
    correlateRow(1),
    correlateRow(2),
    ...Object.keys(MODES).flatMap((mode) => [
      ...BLOCKS.map((nb) => gradBlock(mode, nb)),
      gradPixel(mode),
      gradRun(mode),
    ]),
  ].join('\n');
}

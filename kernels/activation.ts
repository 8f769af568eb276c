/** Activations of four values at a time. Activations are [rows, cs] with C channels used; the rest stays zero. */
import { exp4 } from './math';
import { AFFINE, CLIP, GELU, HARD_SIGMOID, HARD_SWISH, SIGMOID, SWISH } from './activation-kinds';
import { FULL } from './generated/full';
import { float, fma, int, ptr, share, splat } from './vector';

@inline
function hardSigmoid(x: v128): v128 {
  const y = f32x4.add(f32x4.mul(x, splat(<f32>(1.0 / 6.0))), splat(0.5));
  return f32x4.pmin(f32x4.pmax(y, splat(0)), splat(1));
}

@inline
function sigmoid(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), exp4(f32x4.neg(x))));
}

/** 1 − Φ(|x|) = ½ erfc(|x| / √2) (Abramowitz & Stegun 7.1.26, error below 1e-7). */
@inline
function upperTail(x: v128): v128 {
  const z = f32x4.mul(f32x4.abs(x), splat(<f32>0.70710678118654752));
  const t = f32x4.div(splat(1), f32x4.add(splat(1), f32x4.mul(splat(<f32>0.3275911), z)));
  let p = f32x4.add(f32x4.mul(splat(<f32>1.061405429), t), splat(<f32>-1.453152027));
  p = f32x4.add(f32x4.mul(p, t), splat(<f32>1.421413741));
  p = f32x4.add(f32x4.mul(p, t), splat(<f32>-0.284496736));
  p = f32x4.add(f32x4.mul(p, t), splat(<f32>0.254829592));
  return f32x4.mul(f32x4.mul(splat(0.5), f32x4.mul(p, t)), exp4(f32x4.neg(f32x4.mul(z, z))));
}

/** The activations, as types: a loop is compiled for each, in which nothing is chosen. By a number, binaryen makes them one loop again. */
class Clip {}
class HardSigmoid {}
class HardSwish {}
class Sigmoid {}
class Swish {}
class Gelu {}
class Affine {}

@inline
function is<A, B>(): bool {
  return idof<A>() == idof<B>();
}

@inline
function apply<A>(x: v128, least: v128, most: v128): v128 {
  if (is<A, Clip>()) return f32x4.pmin(f32x4.pmax(x, least), most);
  if (is<A, HardSigmoid>()) return hardSigmoid(x);
  if (is<A, HardSwish>()) return f32x4.mul(x, hardSigmoid(x));
  if (is<A, Sigmoid>()) return sigmoid(x);
  if (is<A, Swish>()) return f32x4.mul(x, sigmoid(x));
  if (is<A, Affine>()) return fma(x, least, most);
  // x · Φ(x): x − |x| (1 − Φ(|x|)) above zero, and −|x| (1 − Φ(|x|)) below.
  return f32x4.sub(f32x4.pmax(x, splat(0)), f32x4.mul(f32x4.abs(x), upperTail(x)));
}

function each<A>(p: usize, i0: usize, i1: usize): void {
  const least = splat(float(p, 7)), most = splat(float(p, 8)), x = ptr(p, 1), y = ptr(p, 2);
  for (let i = i0; i < i1; i += 32) {
    const first = apply<A>(v128.load(x + i), least, most), second = apply<A>(v128.load(x + i, 16), least, most);
    v128.store(y + i, first);
    v128.store(y + i, second, 16);
  }
}

/** 1 x, 2 y, 3 rows, 4 cs, 5 C, 6 which of activation-kinds.ts, 7 least and 8 most of a clip, or factor and summand, 9 whether zeros do not stay zero. */
export function activate(p: usize, tid: i32, nt: i32): void {
  const rows = int(p, 3), cs = int(p, 4), kind = int(p, 6);
  const r0 = share(rows, 1, tid, nt), r1 = share(rows, 1, tid + 1, nt), i0 = <usize>(r0 * cs) << 2, i1 = <usize>(r1 * cs) << 2;
  if (kind == SIGMOID) each<Sigmoid>(p, i0, i1);
  else if (FULL) baselineActivation(kind, p, i0, i1);
  else unreachable();
  if (!int(p, 9)) return;
  for (let r = r0; r < r1; r++) for (let c = int(p, 5); c < cs; c++) store<f32>(ptr(p, 2) + (<usize>(r * cs + c) << 2), 0);
}

/** Those that a MobileOne does not use. */
function baselineActivation(kind: i32, p: usize, i0: usize, i1: usize): void {
  if (kind == CLIP) each<Clip>(p, i0, i1);
  else if (kind == HARD_SIGMOID) each<HardSigmoid>(p, i0, i1);
  else if (kind == HARD_SWISH) each<HardSwish>(p, i0, i1);
  else if (kind == SWISH) each<Swish>(p, i0, i1);
  else if (kind == GELU) each<Gelu>(p, i0, i1);
  else each<Affine>(p, i0, i1);
}

/** x where x > 0, else slope · x: 1 x, 2 slope [cs], 3 y, 4 rows, 5 cs. */
export function prelu(p: usize, tid: i32, nt: i32): void {
  const C4 = <usize>int(p, 5) << 2, r1 = share(int(p, 4), 1, tid + 1, nt), zero = splat(0);
  for (let r = share(int(p, 4), 1, tid, nt); r < r1; r++) {
    const at = <usize>r * C4;
    for (let c: usize = 0; c < C4; c += 16) {
      const x = v128.load(ptr(p, 1) + at + c);
      v128.store(ptr(p, 3) + at + c, v128.bitselect(x, f32x4.mul(x, v128.load(ptr(p, 2) + c)), f32x4.gt(x, zero)));
    }
  }
}

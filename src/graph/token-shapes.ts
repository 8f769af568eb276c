/** Shape rules of what networks of tokens `[N, T, C]` (transformers) have beside convolutions: functions, since bundlers keep tables. */
import { type Shape, sizeOf } from '../core/tensor.ts';
import { broadcastShape, check, checkRank } from './shape-rules.ts';

/** […, M, K] · […, K, N] → […, M, N] */
export function inferMatMul(a: Shape, b: Shape): Shape {
  const text = `[${a.join(', ')}] and [${b.join(', ')}]`;
  check(a.length > 1 && b.length > 1, `${text} are no matrices`);
  check(a.at(-1) === b.at(-2), `${text} can't be multiplied: rows of ${a.at(-1)}, columns of ${b.at(-2)}`);
  return [...broadcastShape(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
}

export function inferTranspose(perm: readonly number[], x: Shape): Shape {
  const axes = perm.toSorted((p, q) => p - q);
  check(
    axes.length === x.length && axes.every((axis, i) => axis === i),
    `perm ${perm} does not name each axis of [${x.join(', ')}] once`,
  );
  return perm.map((axis) => x[axis]!);
}

/** The shape with 0 (the length of `like`) and −1 (what is left) filled in. */
export function inferReshape(shape: Shape, x: Shape, like: Shape): Shape {
  const text = `[${x.join(', ')}] does not fit into [${shape.join(', ')}]`;
  const copied = shape.map((size, axis) => {
    check(Number.isInteger(size) && size >= -1, `${size} is no length`);
    check(size !== 0 || axis < like.length, `${text}: there is no axis ${axis} to copy`);
    return size === 0 ? like[axis]! : size;
  });
  const open = copied.indexOf(-1);
  check(open === copied.lastIndexOf(-1), `${text}: only one length can be left open`);
  const rest = sizeOf(x) / sizeOf(copied.filter((size) => size !== -1));
  check(open < 0 ? rest === 1 : Number.isInteger(rest), text);
  return copied.map((size) => (size === -1 ? rest : size));
}

function checkBlock(blocksize: number): void {
  check(Number.isInteger(blocksize) && blocksize > 0, `blocksize must be a whole number above 0, got ${blocksize}`);
}

/** Blocks of b × b pixels become b² times the channels. */
export function inferSpaceToDepth(b: number, x: Shape): Shape {
  checkRank(x, 4, 'input');
  checkBlock(b);
  const [n, c, h, w] = x as [number, number, number, number];
  check(h % b === 0 && w % b === 0, `the image ${h}×${w} does not divide into blocks of ${b}`);
  return [n, c * b ** 2, h / b, w / b];
}

/** The way back. */
export function inferDepthToSpace(b: number, x: Shape): Shape {
  checkRank(x, 4, 'input');
  checkBlock(b);
  const [n, c, h, w] = x as [number, number, number, number];
  check(c % b ** 2 === 0, `${c} channels do not divide into blocks of ${b}×${b}`);
  return [n, c / b ** 2, h * b, w * b];
}

/** A learned tensor, repeated for each of the first axis of `like`, if there is one. */
export function inferParameter(value: Shape, like: Shape | undefined): Shape {
  if (!like) return value;
  check(value[0] === 1 && like.length > 0, `[${value.join(', ')}] can't be repeated: its first length must be 1`);
  return [like[0]!, ...value.slice(1)];
}

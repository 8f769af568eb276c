/** What a rule of an op kind is, and what rules share. */
import type { Shape } from '../core/tensor.ts';
import { sizeOf } from '../core/tensor.ts';
import type { NodeOf, ParamSpec } from './graph.ts';
import type { OpKind } from './kinds.ts';

export interface OpRule<K extends OpKind> {
  /** Output shapes from input shapes; `param` gives a parameter's shape by role. */
  readonly infer: (node: NodeOf<K>, inputs: readonly Shape[], param: (role: string) => Shape) => Shape[];
  /** Multiply-accumulates, given bound input and output shapes. Elementwise work counts zero, as in fvcore. */
  readonly macs: (node: NodeOf<K>, inputs: readonly Shape[], outputs: readonly Shape[]) => number;
}

/** Rules by kind: of all, or of those that a program needs. */
export type OpTable = { readonly [K in OpKind]?: OpRule<K> };

export function check(condition: boolean, message: string): void {
  if (!condition) throw new TypeError(message);
}

export function checkRank(shape: Shape, rank: number, what: string): void {
  check(shape.length === rank, `${what} must have ${rank} dimensions, got [${shape.join(', ')}]`);
}

export function checkSame(a: Shape, b: Shape, what: string): void {
  check(a.length === b.length && a.every((d, i) => d === b[i]), `${what}: [${a.join(', ')}] against [${b.join(', ')}]`);
}

export const same = (_: unknown, [x]: readonly Shape[]): Shape[] => [x!];

export const none = (): number => 0;

/** Output length of a convolution along one axis. */
export function convLength(size: number, kernel: number, stride: number, pads: number, dilation = 1): number {
  return Math.floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** The shape that two shapes broadcast to, as in NumPy. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    check(x === y || x === 1 || y === 1, `[${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

export const positions = (shape: Shape): number => shape[0]! * sizeOf(shape.slice(2));

/** Looks a parameter's shape up by role. */
export function paramShape(
  params: Readonly<Record<string, ParamSpec>>,
  node: { readonly params: Readonly<Record<string, string>> },
  role: string,
): Shape {
  const name = node.params[role];
  const spec = name === undefined ? undefined : params[name];
  if (!spec) throw new TypeError(`parameter "${role}" is missing`);
  return spec.shape;
}

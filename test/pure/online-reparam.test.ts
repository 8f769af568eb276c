/**
 * The mathematics of docs/online-reparameterization.md, in float64 and by the letter, against the reference engine's
 * branch-by-branch evaluation: outputs, running statistics and every gradient are the same function.
 */
import { expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { sizeOf } from '../../src/core/tensor.ts';
import type { Array64 } from '../../src/engine/reference/array.ts';
import { repConv, repConvGrad } from '../../src/engine/reference/rep-conv.ts';
import type { RepConvAttrs } from '../../src/graph/kinds.ts';
import { branchesOf, repConvParams } from '../../src/graph/rep-conv.ts';
import { blockAttrs } from '../../src/models/mobileone.ts';

type Vector = number[];
type Matrix = number[][];

const zeros = (n: number): Vector => Array.from({ length: n }, () => 0);
const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function noise(shape: readonly number[], seed: number): Array64 {
  const rng = random(seed);
  return { shape, data: new Float64Array(sizeOf(shape)).map(() => rng.normal()) };
}

interface Geometry {
  readonly attrs: RepConvAttrs;
  readonly x: Array64;
  readonly out: readonly number[];
}

/** For group g: the patches u_p as rows [P][d], and for every patch entry the index in x (−1: padding). */
function patches({ attrs, x, out }: Geometry, g: number): { rows: Matrix; indices: Matrix } {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const per = attrs.in_chs / attrs.groups;
  const pad = (attrs.kernel_size - 1) / 2;
  const indices: Matrix = [];
  for (let b = 0; b < n; b++)
    for (let oy = 0; oy < out[2]!; oy++)
      for (let ox = 0; ox < out[3]!; ox++) {
        const row: Vector = [];
        for (let i = 0; i < per; i++)
          for (let ky = 0; ky < attrs.kernel_size; ky++)
            for (let kx = 0; kx < attrs.kernel_size; kx++) {
              const [y, xx] = [oy * attrs.stride - pad + ky, ox * attrs.stride - pad + kx];
              const inside = y >= 0 && y < h && xx >= 0 && xx < w;
              row.push(inside ? ((b * c + g * per + i) * h + y) * w + xx : -1);
            }
        indices.push(row);
      }
  return { indices, rows: indices.map((row) => row.map((i) => (i < 0 ? 0 : x.data[i]!))) };
}

/** Kernel row of output o of a branch over the patch entries of its group. */
function kernelRow(attrs: RepConvAttrs, type: string, weight: Array64 | undefined, o: number): Vector {
  const per = attrs.in_chs / attrs.groups;
  const taps = attrs.kernel_size ** 2;
  const center = (taps - 1) / 2;
  const row = zeros(per * taps);
  for (let i = 0; i < per; i++) {
    if (type === 'conv') for (let t = 0; t < taps; t++) row[i * taps + t] = weight!.data[(o * per + i) * taps + t]!;
    if (type === 'scale') row[i * taps + center] = weight!.data[o * per + i]!;
    if (type === 'skip' && (attrs.groups > 1 || i === o)) row[i * taps + center] = 1;
  }
  return row;
}

const CASES: readonly (readonly [string, RepConvAttrs])[] = [
  ['pointwise with skip', blockAttrs(5, 5, 1, { num_conv_branches: 3 })],
  ['pointwise without skip', blockAttrs(4, 6, 1, { num_conv_branches: 2 })],
  ['dense 3×3, stride 2, scale', blockAttrs(3, 5, 3, { stride: 2 })],
  ['dense 3×3, scale and skip', blockAttrs(3, 3, 3, { num_conv_branches: 2 })],
  ['depthwise, scale and skip', blockAttrs(4, 4, 3, { groups: 4, num_conv_branches: 4 })],
  ['depthwise, stride 2, scale', blockAttrs(4, 4, 3, { groups: 4, stride: 2, num_conv_branches: 2 })],
];

test.each(CASES)('%s: one convolution is the sum of the branches, forward and backward', (_, attrs) => {
  const { params, specs } = repConvParams('block', attrs);
  const state = new Map(Object.entries(specs).map(([name, { shape }], i) => [name, noise(shape, i + 1)]));
  const before = new Map([...state].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
  const node = { attrs: { ...attrs, training: true }, params };
  const x = noise([2, attrs.in_chs, 7, 6], 99);
  const z = repConv(node, x, (name) => state.get(name)!, 0.1);
  const dz = noise(z.shape, 77);
  const { dx, grads } = repConvGrad(node, x, dz, (name) => state.get(name)!);

  const param = (name: string): Float64Array => before.get(name)!.data;
  const branches = branchesOf(node);
  const per = attrs.in_chs / attrs.groups;
  const positions = (z.shape[0]! * sizeOf(z.shape.slice(2))) as number;
  const plane = sizeOf(z.shape.slice(2));
  const zIndex = (p: number, o: number): number => (Math.floor(p / plane) * attrs.out_chs + o) * plane + (p % plane);
  const expectedDx = new Float64Array(x.data.length);
  let worst = 0;
  const compare = (actual: number, expected: number): void => {
    worst = Math.max(worst, Math.abs(actual - expected) / (1 + Math.abs(expected)));
  };

  for (let g = 0; g < attrs.groups; g++) {
    const { rows, indices } = patches({ attrs, x, out: z.shape }, g);
    const d = rows[0]!.length;
    const m = zeros(d).map((_, a) => rows.reduce((sum, u) => sum + u[a]!, 0) / positions);
    const S = zeros(d).map((_, a) =>
      zeros(d).map((_, b) => rows.reduce((sum, u) => sum + u[a]! * u[b]!, 0) / positions - m[a]! * m[b]!),
    );
    const D: Matrix = zeros(d).map(() => zeros(d));
    const q = zeros(d);
    const folded: Vector[] = [];
    const outputs = attrs.groups > 1 ? [g] : [...zeros(attrs.out_chs).keys()];
    for (const o of outputs) {
      const dzColumn = rows.map((_, p) => dz.data[zIndex(p, o)]!);
      const g0 = dzColumn.reduce((a, b) => a + b, 0);
      const G = zeros(d).map(
        (_, a) =>
          dot(
            dzColumn,
            rows.map((u) => u[a]!),
          ) -
          g0 * m[a]!,
      );
      const W = zeros(d);
      let bias = 0;
      for (const branch of branches) {
        const weight = branch.type === 'skip' ? undefined : before.get(branch.weight);
        const w = kernelRow(attrs, branch.type, weight, o);
        const WS = S.map((row) => dot(w, row));
        const [mu, v] = [dot(w, m), dot(w, WS)];
        const [gamma, beta] = [param(branch.norm.weight)[o]!, param(branch.norm.bias)[o]!];
        const s = gamma / Math.sqrt(v + attrs.epsilon);
        const e = dot(w, G);
        const dv = -0.5 * e * gamma * (v + attrs.epsilon) ** -1.5;
        compare(state.get(branch.norm.running_mean)!.data[o]!, 0.9 * param(branch.norm.running_mean)[o]! + 0.1 * mu);
        compare(
          state.get(branch.norm.running_var)!.data[o]!,
          0.9 * param(branch.norm.running_var)[o]! + (0.1 * v * positions) / (positions - 1),
        );
        compare(grads.get(branch.norm.bias)!.data[o]!, g0);
        compare(grads.get(branch.norm.weight)!.data[o]!, e / Math.sqrt(v + attrs.epsilon));
        w.forEach((value, a) => {
          W[a]! += s * value;
          q[a]! -= value * s * g0;
          w.forEach((other, b) => {
            D[a]![b]! += value * dv * other;
          });
        });
        bias += beta - s * mu;
        if (branch.type === 'skip') continue;
        const dW = G.map((value, a) => s * value + 2 * dv * WS[a]!);
        const taps = attrs.kernel_size ** 2;
        const gradient = grads.get(branch.weight)!.data;
        for (let i = 0; i < per; i++) {
          if (branch.type === 'scale') compare(gradient[o * per + i]!, dW[i * taps + (taps - 1) / 2]!);
          else for (let t = 0; t < taps; t++) compare(gradient[(o * per + i) * taps + t]!, dW[i * taps + t]!);
        }
      }
      folded.push(W);
      rows.forEach((u, p) => {
        compare(z.data[zIndex(p, o)]!, dot(W, u) + bias);
      });
    }
    rows.forEach((u, p) => {
      for (let a = 0; a < d; a++) {
        const i = indices[p]![a]!;
        if (i < 0) continue;
        const direct = outputs.reduce((sum, o, j) => sum + folded[j]![a]! * dz.data[zIndex(p, o)]!, 0);
        const centered = dot(
          D[a]!,
          u.map((value, b) => value - m[b]!),
        );
        expectedDx[i]! += direct + (2 / positions) * centered + q[a]! / positions;
      }
    });
  }
  expectedDx.forEach((value, i) => {
    compare(dx.data[i]!, value);
  });
  expect(worst).toBeLessThan(1e-12);
});

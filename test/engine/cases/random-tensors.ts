/** Random graphs over tensors of one to five axes; without a test runner. */
import { random } from '../../../src/core/random.ts';
import { type Shape, sizeOf } from '../../../src/core/tensor.ts';
import { bind } from '../../../src/graph/bind.ts';
import { type GraphBuilder, graphBuilder } from '../../../src/graph/build.ts';
import type { Graph } from '../../../src/graph/graph.ts';
import { type Case, lively, noise } from './models.ts';

interface Step {
  readonly g: GraphBuilder;
  readonly name: string;
  readonly x: string;
  readonly shape: Shape;
  /** A whole number from 0 to n − 1. */
  readonly draw: (n: number) => number;
}

const shuffled = (axes: readonly number[], draw: Step['draw']): number[] =>
  axes
    .map((axis) => [draw(1000), axis] as const)
    .sort(([a], [b]) => a - b)
    .map(([, axis]) => axis);

/** The same number of elements on other axes. */
function otherShape(shape: Shape, draw: Step['draw']): number[] {
  let left = sizeOf(shape);
  const axes: number[] = [];
  while (left > 1 && axes.length < 4) {
    const divisors = Array.from({ length: left }, (_, i) => i + 1).filter((d) => left % d === 0);
    const taken = divisors[draw(divisors.length)]!;
    axes.push(taken);
    left /= taken;
  }
  return [...axes, left];
}

/** Part of a shape that is broadcast to it: some axes 1, some of the first left out. */
const smaller = (shape: Shape, draw: Step['draw']): number[] =>
  shape.map((size) => (draw(3) ? size : 1)).slice(draw(3) ? 0 : draw(shape.length));

function parameter(g: GraphBuilder, name: string, shape: Shape): string {
  g.declare({ [name]: { shape, role: 'bias' } });
  return g.op('Parameter', `${name}.value`, [], {}, { value: name });
}

/** Each appends one op, or nothing where it does not fit. */
const STEPS: readonly ((step: Step) => string | undefined)[] = [
  ({ g, name, x, shape, draw }) => g.op('Transpose', name, [x], { perm: shuffled([...shape.keys()], draw) }),
  ({ g, name, x, shape, draw }) => g.op('Transpose', name, [x], { perm: shuffled([...shape.keys()], draw) }),
  ({ g, name, x, shape, draw }) => g.op('Reshape', name, [x], { shape: otherShape(shape, draw) }),
  ({ g, name, x, shape, draw }) => {
    const axis = draw(shape.length);
    const start = draw(shape[axis]!);
    return g.op('Slice', name, [x], { axis, start, end: start + 1 + draw(shape[axis]! - start) });
  },
  ({ g, name, x, shape, draw }) => {
    const axis = draw(shape.length);
    if (shape[axis]! < 2) return undefined;
    const first = 1 + draw(shape[axis]! - 1);
    const parts = g.split(name, x, [first, shape[axis]! - first], axis);
    return g.op('Concat', `${name}.swapped`, [parts[1]!, parts[0]!], { axis });
  },
  ({ g, name, x, shape, draw }) => {
    const kind = (['Add', 'Mul', 'Max'] as const)[draw(3)]!;
    return g.op(kind, name, [x, parameter(g, `${name}.p`, smaller(shape, draw))], {});
  },
  ({ g, name, x, shape, draw }) => {
    const inputs = [
      x,
      parameter(g, `${name}.p`, smaller(shape, draw)),
      parameter(g, `${name}.q`, smaller(shape, draw)),
    ];
    return g.op(
      'Max',
      name,
      shuffled([0, 1, 2], draw).map((i) => inputs[i]!),
      {},
    );
  },
  ({ g, name, x, draw }) => g.op((['Gelu', 'Relu', 'HardSigmoid', 'Swish'] as const)[draw(4)]!, name, [x], {}),
  ({ g, name, x, draw }) => g.op('Affine', name, [x], { alpha: 0.5, beta: draw(2) }),
  ({ g, name, x }) => g.op('Softmax', name, [x], {}),
  ({ g, name, x, shape }) => {
    const params = { weight: `${name}.weight`, bias: `${name}.bias` };
    if (shape.at(-1)! < 3) return undefined;
    g.declare({
      [params.weight]: { shape: shape.slice(-1), role: 'norm_weight' },
      [params.bias]: { shape: shape.slice(-1), role: 'norm_bias' },
    });
    return g.op('LayerNormalization', name, [x], { axis: shape.length - 1, epsilon: 1e-2 }, params);
  },
  ({ g, name, x, shape, draw }) => {
    const axes = [...shape.keys()].filter(() => draw(2));
    return shape.length < 2 ? undefined : g.op('ReduceMean', name, [x], { axes, keepdims: draw(3) > 0 });
  },
  ({ g, name, x, shape, draw }) => {
    if (shape.length < 2) return undefined;
    const turned = [...shape.keys()];
    turned.push(...turned.splice(-2, 1));
    const other = g.op('Transpose', `${name}.turned`, [x], { perm: turned });
    return g.op('MatMul', name, draw(2) ? [x, other] : [other, x], {});
  },
  ({ g, name, x, shape, draw }) => {
    if (shape.length < 2) return undefined;
    const weight = parameter(g, `${name}.p`, [...smaller(shape.slice(0, -2), draw), shape.at(-1)!, 1 + draw(20)]);
    const product = g.op('MatMul', `${name}.product`, [x, weight], {});
    const perm = [...shape.keys()];
    if (perm.length > 2) perm.splice(-2, 0, ...perm.splice(-3, 1));
    return g.op('Transpose', name, [product], { perm });
  },
  ({ g, name, x, shape, draw }) => {
    const outputs = 1 + draw(12);
    if (shape.length < 2) return undefined;
    g.declare({ [`${name}.weight`]: { shape: [outputs, shape.at(-1)!], role: 'weight' } });
    const y = g.op('Gemm', name, [x], {}, { weight: `${name}.weight` });
    return draw(2) ? g.op('Relu', `${name}.act`, [y], {}) : y;
  },
];

/** Few elements, so that the reference is quick. */
const MOST_ELEMENTS = 3000;

/** A source of whole numbers. */
function drawing(...seeds: number[]): Step['draw'] {
  const rng = random(...seeds);
  return (n) => Math.min(n - 1, Math.floor(rng.uniform() * n));
}

/** So many ops in a row, some of the values between them being outputs too; undefined where they get too large. */
function chain(seed: number, input: Shape, shapes: readonly Shape[]): Graph {
  const g = graphBuilder(`tensors ${seed}`);
  const outputs: Record<string, string> = {};
  let x = g.input('input', input);
  shapes.forEach((shape, i) => {
    const draw = drawing(seed, i);
    x = STEPS[draw(STEPS.length)]!({ g, name: `op${i}`, x, shape, draw }) ?? x;
    if (draw(4) === 0) outputs[`out${i}`] = x;
  });
  return g.build({ ...outputs, y: x });
}

/** Up to seven ops in a row, on tensors of an axis at least. */
export function randomTensorCase(seed: number): Case {
  const draw = drawing(seed);
  const shape = Array.from({ length: 2 + draw(4) }, () => 1 + draw(draw(3) ? 5 : 17));
  while (sizeOf(shape) > 400) shape[draw(shape.length)] = 1;
  const shapes: Shape[] = [];
  let last: Shape = shape;
  while (shapes.length < 7 && last.length > 0 && sizeOf(last) < MOST_ELEMENTS) {
    shapes.push(last);
    const graph = chain(seed, shape, shapes);
    last = bind(graph, {}).shapes.get(graph.outputs.y!)!;
  }
  const graph = chain(seed, shape, shapes);
  return { graph, dims: {}, feeds: { input: noise(shape, seed) }, state: lively(graph, seed) };
}

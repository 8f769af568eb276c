/** How the op kinds of transformers become instructions, and those that other networks have too, where their tensors are of any shape: one table. */
import * as op from '../../../../kernels/opcodes.ts';
import { type Shape, sizeOf } from '../../../core/tensor.ts';
import type { Node, NodeOf } from '../../../graph/graph.ts';
import type { OpKind } from '../../../graph/kinds.ts';
import type { Arg } from '../emitter.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import { arrange, clear, copyTo, inRows, inShape, isOwn, makeRows, setRows, setView, viewOf } from './arrange.ts';
import { BASELINE_RULES } from './baseline-rules.ts';
import { lowerCombine } from './combine.ts';
import { inputOf, type LowerContext, refuse, type Value } from './context.ts';
import { INFERENCE_RULES, type Rule, type Rules } from './inference-rules.ts';
import { lowerMatMul } from './mat-mul.ts';
import { asRows, lengthOf, rowAxes, shapeOf, sliced, stepOf, transposed, type View, viewOfValue } from './view.ts';

/** A matrix in memory as the other rules see one. */
const matrix = (ref: Ref, n: number, c: number, stride: number): Value => ({ ref, n, h: 1, w: 1, c, stride });

/** How many rows a view has that lies in rows, and how long they are. */
function rowsOf({ axes }: View): { count: number; c: number; stride: number } {
  const c = lengthOf(axes.at(-1) ?? []);
  return { count: sizeOf(shapeOf(axes)) / c, c, stride: pad8(c) };
}

/** Lowers a node of one input and one output as if these were matrices; gives the output. */
function onMatrix(context: LowerContext, node: Node, rule: Rule<never>, x: Value, channels: number): Value {
  const [input] = node.inputs as [string];
  const [output] = node.outputs as [string];
  const own = isOwn(context, node, input);
  const values = new Map([[input, x]]);
  rule(
    {
      ...context,
      values,
      views: new Map(),
      shapes: new Map([
        [input, [x.n, x.c]],
        [output, [x.n, channels]],
      ]),
      strideOf: () => (channels === x.c ? x.stride : pad8(channels)),
      onlyReader: (name) => (name === input && !own ? undefined : context.onlyReader(name)),
    },
    node as never,
  );
  return values.get(output)!;
}

/** Elementwise ops of one input, which do not care in which order the elements are. */
const UNARY: ReadonlySet<OpKind> = new Set([
  'Relu',
  'Clip',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Swish',
  'Gelu',
  'Affine',
] satisfies OpKind[]);

function lowerUnary(context: LowerContext, node: Node, rule: Rule<never>): void {
  const { ref, axes, padded } = viewOf(context, node.inputs[0]!);
  const rows = asRows(axes);
  const view = rows ? { ref, axes, padded } : inRows(context, { ref, axes, padded });
  const { count, c, stride } = rows ?? rowsOf(view);
  const y = onMatrix(context, node, rule, matrix(view.ref, count, c, stride), c);
  setView(context, node.outputs[0]!, { ...view, ref: y.ref });
}

/** An instruction (x, y, rows, channels, stride, …) over the last axis; in place of x where that is free. */
function lowerRows(context: LowerContext, node: Node, opcode: number, ...rest: readonly Arg[]): void {
  const [input] = node.inputs as [string];
  const given = viewOf(context, input);
  const c = lengthOf(given.axes.at(-1)!);
  const found = stepOf(given.axes.at(-1)!) === 1 ? asRows(given.axes) : undefined;
  const lies = found?.c === c;
  const view = lies ? given : inRows(context, given);
  const { count, stride } = lies ? found : rowsOf(view);
  const copied = view.ref !== given.ref;
  const own = !copied && isOwn(context, node, input);
  const ref = copied || own ? view.ref : context.emitter.scratch(count * stride);
  if (own) {
    context.values.delete(input);
    context.views.delete(input);
  }
  context.emitter.emit(opcode, view.ref, ref, count, c, stride, ...rest);
  setView(context, node.outputs[0]!, { ref, axes: view.axes, padded: true });
}

/** Elements of an axis: where they are, if they can be. */
function part(context: LowerContext, view: View, axis: number, start: number, length: number): View {
  return sliced(view, axis, start, length) ?? sliced(inRows(context, view), axis, start, length)!;
}

/** Whether a node cuts or joins the channels of images or matrices that lie as usual, for which there are faster kernels. */
function isOfChannels({ values, shapes }: LowerContext, { inputs }: Node, axis: number): boolean {
  return axis === 1 && inputs.every((name) => values.has(name) && [2, 4].includes(shapes.get(name)!.length));
}

function lowerConcat(context: LowerContext, node: NodeOf<'Concat'>): void {
  const { axis } = node.attrs;
  if (isOfChannels(context, node, axis)) {
    BASELINE_RULES.Concat!(context, node);
    return;
  }
  const [name] = node.outputs as [string];
  const shape = context.shapes.get(name)!;
  const y = makeRows(context, shape);
  const last = shape.at(-1)!;
  const ofRows = axis === shape.length - 1;
  if (ofRows && last % 8) clear(context, y);
  let at = 0;
  for (const input of node.inputs) {
    const x = viewOf(context, input);
    const length = lengthOf(x.axes[axis]!);
    copyTo(context, x, part(context, y, axis, at, length), last, ofRows ? 0 : pad8(last) - last);
    at += length;
  }
  setView(context, name, y);
}

/** Reshape, turn, reshape: the elements where they are, where that is possible. */
function lowerBlocks(context: LowerContext, node: Node, inner: Shape, perm: readonly number[]): void {
  const [name] = node.outputs as [string];
  const parts = transposed(inShape(context, viewOf(context, node.inputs[0]!), inner), perm);
  setView(context, name, inShape(context, parts, context.shapes.get(name)!));
}

const lowerReshape = (context: LowerContext, node: Node): void => {
  const [name] = node.outputs as [string];
  setView(context, name, inShape(context, viewOf(context, node.inputs[0]!), context.shapes.get(name)!));
};

/** Means over any axes: these are put before the last of the others, over whose rows the kernel adds. */
function lowerMeans(context: LowerContext, node: NodeOf<'ReduceMean'>): void {
  const [input] = node.inputs as [string];
  const [output] = node.outputs as [string];
  const { axes } = node.attrs;
  const shape = context.shapes.get(input)!;
  if (shape.length === 4 && String(axes) === '2,3') {
    arrange(context, input);
    BASELINE_RULES.ReduceMean!(context, node);
    return;
  }
  const others = [...shape.keys()].filter((axis) => !axes.includes(axis));
  const before = others.slice(0, -1);
  const last = others.slice(-1);
  const [count, mean, c] = [before, axes, last].map((some) => sizeOf(some.map((axis) => shape[axis]!))) as [
    number,
    number,
    number,
  ];
  const turned = transposed(viewOf(context, input), [...before, ...axes, ...last]);
  const x = inRows(context, last.length ? turned : { ...turned, axes: [...turned.axes, []] });
  const y = makeRows(context, [count, c]);
  context.emitter.emit(op.AVERAGE_POOL, x.ref, y.ref, count, mean, pad8(c));
  setView(context, output, inShape(context, y, context.shapes.get(output)!));
}

/** A depthwise convolution with several outputs a channel: of an image that has each channel so often. */
function lowerConv(context: LowerContext, node: NodeOf<'Conv'>): void {
  const [input] = node.inputs as [string];
  const [n, c, h, w] = context.shapes.get(input)! as [number, number, number, number];
  const outputs = context.shapes.get(node.outputs[0]!)![1]!;
  const { group } = node.attrs;
  arrange(context, input);
  if (group === 1 || group !== c || outputs === c) {
    INFERENCE_RULES.Conv!(context, node);
    return;
  }
  const times = outputs / c;
  const [images, channels, rows, columns] = viewOf(context, input).axes as [never, never, never, never];
  const shape = [n, outputs, h, w];
  const stride = pad8(outputs);
  const value = { n, c: outputs, h, w, stride, ref: context.emitter.scratch(n * h * w * stride) };
  const often = [...(channels as View['axes'][number]), { size: times, step: 0 }];
  const repeated = { ref: inputOf(context, node, 0).ref, axes: [images, often, rows, columns], padded: false };
  copyTo(context, repeated, viewOfValue(value, shape), outputs);
  const values = new Map([...context.values, [input, value]]);
  const inner = { ...context, values, shapes: new Map([...context.shapes, [input, shape]]) };
  INFERENCE_RULES.Conv!(inner, { ...node, attrs: { ...node.attrs, group: outputs } });
  context.values.set(node.outputs[0]!, values.get(node.outputs[0]!)!);
}

export const TOKEN_RULES: Rules = {
  MatMul: lowerMatMul,
  Add: lowerCombine,
  Mul: lowerCombine,
  Max: lowerCombine,
  Concat: lowerConcat,
  Conv: lowerConv,
  Reshape: lowerReshape,
  Flatten: lowerReshape,
  Transpose: (context, node) => {
    setView(context, node.outputs[0]!, transposed(viewOf(context, node.inputs[0]!), node.attrs.perm));
  },
  SpaceToDepth: (context, node) => {
    const { blocksize: b } = node.attrs;
    const [n, c, h, w] = context.shapes.get(node.inputs[0]!) as [number, number, number, number];
    lowerBlocks(context, node, [n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4]);
  },
  DepthToSpace: (context, node) => {
    const { blocksize: b } = node.attrs;
    const [n, c, h, w] = context.shapes.get(node.inputs[0]!) as [number, number, number, number];
    lowerBlocks(context, node, [n, b, b, c / b ** 2, h, w], [0, 3, 4, 1, 5, 2]);
  },
  Slice: (context, node) => {
    const { axis, start, end } = node.attrs;
    if (isOfChannels(context, node, axis)) BASELINE_RULES.Slice!(context, node);
    else setView(context, node.outputs[0]!, part(context, viewOf(context, node.inputs[0]!), axis, start, end - start));
  },
  Split: (context, node) => {
    const { axis, split } = node.attrs;
    if (isOfChannels(context, node, axis)) {
      BASELINE_RULES.Split!(context, node);
      return;
    }
    const view = viewOf(context, node.inputs[0]!);
    const whole = sliced(view, axis, 0, 1) ? view : inRows(context, view);
    let start = 0;
    node.outputs.forEach((name, i) => {
      setView(context, name, sliced(whole, axis, start, split[i]!)!);
      start += split[i]!;
    });
  },
  Gemm: (context, node) => {
    const [input] = node.inputs as [string];
    const [output] = node.outputs as [string];
    const shape = context.shapes.get(output)!;
    if (shape.length !== 4) {
      arrange(context, input);
      INFERENCE_RULES.Gemm!(context, node);
      return;
    }
    const view = inRows(context, viewOf(context, input));
    const features = lengthOf(view.axes[3]!);
    const rows = sizeOf(shape.slice(0, 3));
    const y = onMatrix(
      context,
      node,
      INFERENCE_RULES.Gemm as never,
      matrix(view.ref, rows, features, pad8(features)),
      shape[3]!,
    );
    setView(context, output, { ref: y.ref, axes: rowAxes(shape), padded: true });
  },
  Softmax: (context, node) => {
    const [input] = node.inputs as [string];
    if (context.shapes.get(input)!.length === 2) {
      arrange(context, input);
      INFERENCE_RULES.Softmax!(context, node);
    } else lowerRows(context, node, op.SOFTMAX_ROWS);
  },
  LayerNormalization: (context, node) => {
    const { axis, epsilon } = node.attrs;
    if (axis !== context.shapes.get(node.inputs[0]!)!.length - 1) refuse(node, 'normalizes over the last axis only');
    const [weight, bias] = ['weight', 'bias'].map((role) => context.state.refOf(node.params[role]!));
    lowerRows(context, node, op.LAYER_NORM, weight!, bias!, { float: epsilon });
  },
  ReduceMean: lowerMeans,
  Constant: (context, node) => {
    const { shape, value } = node.attrs;
    const last = shape.at(-1) ?? 1;
    const data = new Float32Array((value.length / last) * pad8(last));
    value.forEach((number, i) => {
      data[Math.floor(i / last) * pad8(last) + (i % last)] = number;
    });
    setRows(context, node.outputs[0]!, context.emitter.constant(data), shape);
  },
  Parameter: (context, node) => {
    const value = node.params.value!;
    setRows(context, node.outputs[0]!, context.state.refOf(value), context.graph.params[value]!.shape);
  },
};

/** Rules of tensors as they lie (those above) and of tensors in the usual order, for which they are put in order. */
export function withTokens(...tables: readonly Rules[]): Rules {
  const ordered = tables.flatMap(Object.entries).map(([kind, rule]) => [
    kind,
    (context: LowerContext, node: Node): void => {
      const [input] = node.inputs;
      if (UNARY.has(node.kind) && context.views.has(input!) && !context.values.has(input!)) {
        lowerUnary(context, node, rule as Rule<never>);
        return;
      }
      for (const name of node.inputs) arrange(context, name);
      (rule as Rule<never>)(context, node as never);
    },
  ]);
  return { ...Object.fromEntries(ordered), ...TOKEN_RULES };
}

/** Add, Mul and Max of tensors of any shapes and orders; what images have is in broadcast.ts, which is faster. */
import * as kinds from '../../../../kernels/broadcast-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import { pad8 } from '../layout.ts';
import { clear, dimensionWords, inRows, makeRows, setView, viewOf, withInnermost } from './arrange.ts';
import { isBroadcast, lowerBroadcast } from './broadcast.ts';
import { floats, type LowerContext, valueAt } from './context.ts';
import { broadcasted, type View, viewOfValue } from './view.ts';

/** Dimensions of the instruction COMBINE beside the innermost. */
const OUTER_DIMENSIONS = 4;

type Combining = NodeOf<'Add'> | NodeOf<'Mul'> | NodeOf<'Max'>;

const KINDS: Readonly<Record<Combining['kind'], number>> = { Add: kinds.ADD, Mul: kinds.MUL, Max: kinds.MAX };

/** An output and the length of its rows: as an image if one of the inputs lies as one, else in rows. */
function makeCombined(context: LowerContext, { inputs, outputs }: Combining): { y: View; channels: number } {
  const { emitter, shapes, values } = context;
  const [name] = outputs as [string];
  const shape = shapes.get(name)!;
  const image = inputs.some((input) => values.has(input) && shapes.get(input)!.length === 4);
  if (!image) return { y: makeRows(context, shape), channels: shape.at(-1) ?? 1 };
  const value = valueAt({ buffer: undefined as never, offset: 0 }, shape, context.strideOf(name));
  return { y: viewOfValue({ ...value, ref: emitter.scratch(floats(value)) }, shape), channels: value.c };
}

/** y = a ∘ b, all of the shape of y, whose rows are of so many channels; a may be y. */
function emitCombine(context: LowerContext, kind: number, given: readonly [View, View, View], channels: number): void {
  const [first, second, y] = given;
  const few = withInnermost([y.axes, first.axes, second.axes])[0].length <= OUTER_DIMENSIONS;
  const [a, b] = few ? [first, second] : [inRows(context, first), inRows(context, second)];
  const [outer, inner] = withInnermost([y.axes, a.axes, b.axes]);
  const behind = pad8(channels) - channels;
  if (behind && inner.size !== channels && first !== y) clear(context, y);
  const zeros = inner.size === channels ? behind : 0;
  const words = dimensionWords(outer, OUTER_DIMENSIONS, [1, 2, 0]);
  const [, stepA, stepB] = inner.steps as [number, number, number];
  context.emitter.emit(op.COMBINE, a.ref, b.ref, y.ref, zeros, ...words, inner.size, stepA, stepB, kind);
}

/** The first input with each of the others. */
export function lowerCombine(context: LowerContext, node: Combining): void {
  if (isBroadcast(context, node)) {
    lowerBroadcast(context, node);
    return;
  }
  const [name] = node.outputs as [string];
  const shape = context.shapes.get(name)!;
  const [first, ...others] = node.inputs.map((input) => broadcasted(viewOf(context, input), shape)) as [
    View,
    ...View[],
  ];
  const { y, channels } = makeCombined(context, node);
  (others.length ? others : [first]).forEach((b, i) => {
    emitCombine(context, KINDS[node.kind], [i ? y : first, b, y], channels);
  });
  setView(context, name, y);
}

/** Add, Mul and Max of tensors of any shapes and orders; what images have is in broadcast.ts, which is faster. */
import * as kinds from '../../../../kernels/broadcast-kinds.ts';
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import { pad8 } from '../layout.ts';
import { clear, type Dimension, dimensionWords, inRows, makeRows, setView, viewOf, withInnermost } from './arrange.ts';
import { isBroadcast, lowerBroadcast } from './broadcast.ts';
import { floats, type LowerContext, valueAt } from './context.ts';
import { alike, broadcasted, elementsOf, type View, viewOfValue } from './view.ts';

/** Dimensions of the instruction COMBINE beside the innermost. */
const OUTER_DIMENSIONS = 4;

type Combining = NodeOf<'Add'> | NodeOf<'Mul'> | NodeOf<'Max'>;

const KINDS: Readonly<Record<Combining['kind'], number>> = { Add: kinds.ADD, Mul: kinds.MUL, Max: kinds.MAX };

/** An output and the length of its rows: as an image if an input, one as large if there is one, lies as an image; else in rows. */
function makeCombined(context: LowerContext, { inputs, outputs }: Combining): { y: View; channels: number } {
  const { emitter, shapes, values } = context;
  const [name] = outputs as [string];
  const shape = shapes.get(name)!;
  const whole = inputs.filter((input) => String(shapes.get(input)) === String(shape));
  const deciding = whole.length ? whole : inputs;
  const image = deciding.some((input) => values.has(input) && shapes.get(input)!.length === 4);
  if (!image) return { y: makeRows(context, shape), channels: shape.at(-1) ?? 1 };
  const value = valueAt({ buffer: undefined as never, offset: 0 }, shape, context.strideOf(name));
  return { y: viewOfValue({ ...value, ref: emitter.scratch(floats(value)) }, shape), channels: value.c };
}

/** y = a ∘ b, all of the shape of y, whose rows are of so many channels; a may be y. */
function emitCombine(context: LowerContext, kind: number, given: readonly [View, View, View], channels: number): void {
  const [first, second, y] = given;
  const emit = (a: View, b: View, zeros: number, outer: readonly Dimension[], { size, steps }: Dimension): void => {
    const words = dimensionWords(outer, OUTER_DIMENSIONS, [1, 2, 0]);
    context.emitter.emit(op.COMBINE, a.ref, b.ref, y.ref, zeros, ...words, size, steps[1]!, steps[2]!, kind);
  };
  if ([first, second].every(({ axes, padded }) => padded && alike(axes, y.axes))) {
    // What fills the rows is zero, and stays so.
    emit(first, second, 0, [], { size: (elementsOf(y) / channels) * pad8(channels), steps: [1, 1, 1] });
    return;
  }
  const few = withInnermost([y.axes, first.axes, second.axes])[0].length <= OUTER_DIMENSIONS;
  const [a, b] = few ? [first, second] : [inRows(context, first), inRows(context, second)];
  const [outer, inner] = withInnermost([y.axes, a.axes, b.axes]);
  const behind = pad8(channels) - channels;
  if (behind && inner.size !== channels && first !== y) clear(context, y);
  emit(a, b, inner.size === channels ? behind : 0, outer, inner);
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

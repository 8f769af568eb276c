/** What every lowering rule sees: shapes, values already made, state, and the emitter. */
import { type Shape, sizeOf } from '../../../core/tensor.ts';
import type { Graph, Node } from '../../../graph/graph.ts';
import type { RepConvChoice } from '../../engine.ts';
import type { Emitter } from '../emitter.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import type { PlacedState } from '../state.ts';
import type { RepConvCost } from './cost-model.ts';
import type { View } from './view.ts';

/** A value in memory: images `[N, H, W, stride]` (NHWC, channels padded), matrices and all others `[rows, stride]`. */
export interface Value {
  readonly ref: Ref;
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  /** Floats between neighbouring pixels. */
  readonly stride: number;
}

export interface LowerContext {
  readonly graph: Graph;
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly emitter: Emitter;
  readonly state: PlacedState;
  /** Values made so far; raw inputs (bytes, targets, scalars) are here too. */
  readonly values: Map<string, Value>;
  /** Values that lie otherwise; `arrange.ts` puts them in order for rules that want them as above. */
  readonly views: Map<string, View>;
  /** What a forward RepConv leaves for its gradient, by node name. */
  readonly saved: Map<string, unknown>;
  /** How pointwise RepConvs are trained: the cheaper way for each, or always one. */
  readonly repConv: RepConvChoice;
  /** What both forms of a pointwise RepConv in training cost, and the one chosen, by node name. */
  readonly costs: Map<string, RepConvCost>;
  /** Channel stride of an image value. */
  strideOf(value: string): number;
  /** The one node that reads a value, if there is just one and it is not an output of the graph. */
  onlyReader(value: string): Node | undefined;
}

/** Positions of a value: N · H · W. */
export function rows(value: Value): number {
  return value.n * value.h * value.w;
}

/** Floats of a value. */
export function floats(value: Value): number {
  return rows(value) * value.stride;
}

/** The value of an input of a node. */
export function inputOf(context: LowerContext, node: Node, index: number): Value {
  const value = context.values.get(node.inputs[index]!);
  if (!value) throw new Error(`internal error: "${node.inputs[index]}" was not lowered before "${node.name}"`);
  return value;
}

/** Length of the axis whose elements lie side by side: the channels of an image, of all others the last. */
export function channelsOf(shape: Shape): number {
  return shape[shape.length === 4 ? 1 : Math.max(1, shape.length - 1)] ?? 1;
}

/** A value's dimensions from its logical shape: `[N, C, H, W]`, or rows `[…, C]`. */
export function valueAt(ref: Ref, shape: Shape, stride: number = pad8(channelsOf(shape))): Value {
  const rank = shape.length;
  const [n = 1, c = 1, h = 1, w = 1] = rank < 3 || rank === 4 ? shape : [sizeOf(shape.slice(0, -1)), shape[rank - 1]!];
  return { ref, n, c, h, w, stride };
}

/** Allocates the buffer of a node's output (or takes the place of `place`) and registers it. */
export function makeOutput(context: LowerContext, name: string, place?: Value): Value {
  const shape = context.shapes.get(name)!;
  const stride = context.strideOf(name);
  const dims = valueAt({ buffer: undefined as never, offset: 0 }, shape, stride);
  const value = { ...dims, ref: place?.ref ?? context.emitter.scratch(floats(dims)) };
  context.values.set(name, value);
  return value;
}

/**
 * The first input of the output's size that nothing else needs: an elementwise op may write over it. Its buffer must belong to
 * this one value (an alias under another name could still be read). The input is gone afterwards.
 */
export function inputToOverwrite(context: LowerContext, node: Node, size: number): Value | undefined {
  for (const name of node.inputs) {
    const value = context.values.get(name);
    if (!value || value.ref.buffer.persistent || floats(value) !== size || context.onlyReader(name) !== node) continue;
    const all = [...context.values.values(), ...context.views.values()];
    const names = all.filter(({ ref }) => ref.buffer === value.ref.buffer);
    if (names.length > 1) continue;
    context.values.delete(name);
    return value;
  }
  return undefined;
}

/** Whether the op's output goes to a Relu alone, which is then fused into it. */
export function fusedRelu(context: LowerContext, node: Node): boolean {
  return context.onlyReader(node.outputs[0]!)?.kind === 'Relu';
}

/** Whether a gradient node's dx goes to a ReluGrad alone, whose mask is the node's own input. */
export function fusedReluGrad(context: LowerContext, node: Node): boolean {
  const reader = context.onlyReader(node.outputs[0]!);
  return reader?.kind === 'ReluGrad' && reader.inputs[0] === node.inputs[0] && reader.inputs[1] === node.outputs[0];
}

/** Throws that the wasm engine can't run a node as it is: `what` it can, after "the wasm engine". */
export function refuse(node: Node, what: string): never {
  throw new TypeError(`node "${node.name}" (${node.kind}): the wasm engine ${what}`);
}

/** Whether the two inputs of a node have the same shape. */
export function sameSizes({ shapes }: LowerContext, node: Node): boolean {
  return String(shapes.get(node.inputs[0]!)) === String(shapes.get(node.inputs[1]!));
}

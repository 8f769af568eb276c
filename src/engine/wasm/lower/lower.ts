/** Graph → instructions, buffers and state: everything is decided here, once, before the first run. */

import * as op from '../../../../kernels/opcodes.ts';
import type { BoundGraph } from '../../../graph/bind.ts';
import type { Node, NodeOf } from '../../../graph/graph.ts';
import type { OpKind } from '../../../graph/kinds.ts';
import type { RepConvChoice } from '../../engine.ts';
import { type Emitted, makeEmitter } from '../emitter.ts';
import { pad8 } from '../layout.ts';
import type { Buffer, Ref } from '../memory.ts';
import { type PlacedState, placeState } from '../state.ts';
import { channelsOf, floats, type LowerContext, type Value, valueAt } from './context.ts';
import type { RepConvCost } from './cost-model.ts';
import { imageStride, type Rules } from './inference-rules.ts';
import { paramLayouts } from './layouts.ts';
import { recomputeDepthwise } from './recompute.ts';

/** What the lowering decided for a node. */
export interface NodePlan extends Partial<RepConvCost> {
  readonly name: string;
  readonly kind: OpKind;
  /** Bytes of the transient buffers made for it: its output, what its gradient reads again, scratch. */
  readonly bytes: number;
}

export interface Lowered extends Emitted {
  /** Whether depthwise outputs are made again in the backward pass. */
  readonly recomputed: boolean;
  readonly state: PlacedState;
  /** Where each input is written, as it comes (NCHW floats, NHWC bytes, rows, scalars). */
  readonly inputs: ReadonlyMap<string, Ref>;
  readonly outputs: ReadonlyMap<string, Value>;
  /** What was decided for each node, in order. */
  readonly nodes: readonly NodePlan[];
}

export interface LowerOptions {
  readonly rules: Rules;
  readonly repConv?: RepConvChoice;
  /** Make depthwise outputs again in the backward pass instead of keeping them. */
  readonly recompute?: boolean;
}

/** Lowers a graph for so many threads. */
export function lower({ graph, shapes }: BoundGraph, threads: number, options: LowerOptions): Lowered {
  const { rules, repConv = 'auto', recompute = false } = options;
  const { emitter, finish } = makeEmitter(threads);
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const value of new Set(readValues(node))) readers.set(value, [...(readers.get(value) ?? []), node]);
  const outputValues = new Set(Object.values(graph.outputs));
  const images = imageValues(
    graph.nodes,
    graph.inputs.map(({ name }) => name),
    shapes,
  );

  const shared = sharedParams(graph.nodes);
  const strideOf = (value: string): number => {
    const channels = channelsOf(shapes.get(value)!);
    const reading = readers.get(value) ?? [];
    const padded = outputValues.has(value) || reading.some(({ params }) => usesAny(params, shared));
    return images.has(value) && !padded ? imageStride(reading, channels) : pad8(channels);
  };
  const state = placeState(graph, paramLayouts(graph, strideOf), emitter);
  const context: LowerContext = {
    graph,
    shapes,
    emitter,
    state,
    values: new Map(),
    views: new Map(),
    saved: new Map(),
    repConv,
    costs: new Map(),
    strideOf,
    onlyReader(value) {
      const all = readers.get(value) ?? [];
      return all.length === 1 && !outputValues.has(value) ? all[0] : undefined;
    },
  };

  const inputs = new Map<string, Ref>();
  for (const { name, dtype } of graph.inputs) {
    const shape = shapes.get(name)!;
    const raw = emitter.persistent(shape.reduce((a, b) => a * b, 1));
    inputs.set(name, raw);
    if (dtype === 'float32' && (shape.length > 2 || (shape.length === 2 && !isTarget(readers.get(name) ?? [])))) {
      const value = valueAt(raw, shape, strideOf(name));
      const ref = emitter.scratch(floats(value));
      emitter.emit(op.NCHW_TO_NHWC, raw, ref, value.n, value.c, value.h * value.w, value.stride);
      context.values.set(name, { ...value, ref });
    } else {
      context.values.set(name, valueAt(raw, shape));
    }
  }
  const plans = (lowered: readonly Node[]): NodePlan[] =>
    lowered.map((node) => {
      const before = emitter.transientBytes;
      lowerNode(context, node, rules);
      const { name, kind } = node;
      return { name, kind, bytes: emitter.transientBytes - before, ...context.costs.get(name) };
    });
  const backwardNode = graph.nodes.findIndex(({ kind }) => kind.endsWith('Grad'));
  const forward = backwardNode < 0 ? graph.nodes : graph.nodes.slice(0, backwardNode);
  const forwardPlans = plans(forward);
  const [backward, depthwise] = [emitter.position, depthwiseOutputs(context, forward)];
  const nodes = [...forwardPlans, ...plans(graph.nodes.slice(forward.length))];
  const outputs = new Map(Object.entries(graph.outputs).map(([name, value]) => [name, context.values.get(value)!]));
  for (const { ref } of outputs.values()) {
    emitter.keep(ref);
    depthwise.delete(ref.buffer);
  }
  const recomputed = recompute && depthwise.size > 0 && forward.length < graph.nodes.length;
  const emitted = finish((main) =>
    recomputed ? recomputeDepthwise(main, backward, depthwise, emitter.scratch) : main,
  );
  return { ...emitted, recomputed, state, inputs, outputs, nodes };
}

/** The inputs whose elements a node reads: of some it takes the shape only. */
function readValues({ kind, inputs }: Node): readonly string[] {
  return kind === 'Parameter' ? [] : kind === 'Reshape' ? inputs.slice(0, 1) : inputs;
}

/** Buffers that depthwise RepConvs in train mode have written, where nothing has been written over them since. */
function depthwiseOutputs({ values }: LowerContext, nodes: readonly Node[]): Set<Buffer> {
  const made = nodes.filter(({ kind, attrs }) => kind === 'RepConv' && attrs.training && attrs.groups > 1);
  return new Set(made.flatMap(({ outputs }) => values.get(outputs[0]!)?.ref.buffer ?? []));
}

function lowerNode<K extends OpKind>(context: LowerContext, node: NodeOf<K>, rules: Rules): void {
  const rule = rules[node.kind] as ((context: LowerContext, node: NodeOf<K>) => void) | undefined;
  if (!rule) throw new TypeError(`node "${node.name}": the wasm engine has no ${node.kind}`);
  rule(context, node);
}

const LOSSES: ReadonlySet<OpKind> = new Set(
  (['SoftmaxCrossEntropyLoss', 'BinaryCrossEntropyLoss', 'DistillationLoss'] as const).flatMap(
    (kind) => [kind, `${kind}Grad`] as const,
  ),
);

/** Whether a matrix is only the target of a loss, which reads it as it comes; what others read gets padded rows. */
function isTarget(readers: readonly Node[]): boolean {
  return readers.every(({ kind }) => LOSSES.has(kind));
}

/** Parameters that convolutions of different inputs share: a kernel's rows have one length, so these inputs must be laid out alike. */
function sharedParams(nodes: readonly Node[]): Set<string> {
  const inputs = new Map<string, string>();
  const shared = new Set<string>();
  for (const {
    kind,
    params,
    inputs: [first],
  } of nodes) {
    // Updates name parameters too, but do not care how they lie.
    if (kind !== 'RepConv' && kind !== 'Conv') continue;
    for (const name of Object.values(params)) {
      if (inputs.has(name) && inputs.get(name) !== first) shared.add(name);
      inputs.set(name, first!);
    }
  }
  return shared;
}

const usesAny = (params: Readonly<Record<string, string>>, names: ReadonlySet<string>): boolean =>
  Object.values(params).some((name) => names.has(name));

/** Values that are the image itself: float inputs of rank 4, and what Preprocess makes. */
function imageValues(nodes: readonly Node[], inputs: readonly string[], shapes: BoundGraph['shapes']): Set<string> {
  const preprocessed = nodes.filter(({ kind }) => kind === 'Preprocess').flatMap(({ outputs }) => outputs);
  return new Set([...inputs.filter((name) => shapes.get(name)!.length === 4), ...preprocessed]);
}

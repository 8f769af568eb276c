/**
 * Where the state lives: learnable parameters in one arena (those with weight decay first), gradients, what optimizer
 * and EMA keep in arenas of the same order, running statistics in another. Updates then run over whole arenas.
 */
import { sizeOf } from '../../core/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { isDecayed, isLearnable } from '../../graph/graph.ts';
import { type StatePrefix, statePrefixes } from '../../graph/state.ts';
import type { Emitter } from './emitter.ts';
import type { Layout } from './layout.ts';
import { type Ref, refAt } from './memory.ts';

type Region = 'decayed' | 'plain' | 'statistics';
export type Arena = 'param' | 'grad' | StatePrefix;

export interface Slot {
  readonly region: Region;
  /** Floats from the start of the region. */
  readonly offset: number;
  readonly layout: Layout;
  /** Logical shape. */
  readonly shape: readonly number[];
}

/** The arenas that a graph needs. */
export function arenasOf(graph: Graph): Arena[] {
  const grads = graph.nodes.some(({ kind }) => ['RepConvGrad', 'ConvGrad', 'GemmGrad'].includes(kind));
  return ['param', ...(grads ? (['grad'] as const) : []), ...statePrefixes(graph)];
}

export interface PlacedState {
  readonly slots: ReadonlyMap<string, Slot>;
  /** The place of a parameter (or statistic) in an arena. */
  refOf(name: string, arena?: Arena): Ref;
  readonly bytes: number;
}

/** Lays out all parameters of a graph: `layouts` in the order in which they should lie. */
export function placeState(graph: Graph, layouts: ReadonlyMap<string, Layout>, emitter: Emitter): PlacedState {
  const slots = new Map<string, Slot>();
  const sizes: Record<Region, number> = { decayed: 0, plain: 0, statistics: 0 };
  for (const [name, layout] of layouts) {
    const spec = graph.params[name]!;
    const region: Region = !isLearnable(spec) ? 'statistics' : isDecayed(spec) ? 'decayed' : 'plain';
    slots.set(name, { region, offset: sizes[region], layout, shape: spec.shape });
    sizes[region] += layout.size;
  }
  const learnable = sizes.decayed + sizes.plain;
  const arenas = new Map<Arena, Ref>(arenasOf(graph).map((arena) => [arena, emitter.persistent(learnable)]));
  const statistics = emitter.persistent(sizes.statistics);
  return {
    slots,
    refOf(name, arena = 'param') {
      const slot = slots.get(name);
      if (!slot) throw new Error(`internal error: parameter "${name}" has no slot`);
      if (slot.region === 'statistics') return refAt(statistics, slot.offset * 4);
      const base = arenas.get(arena);
      if (!base) throw new Error(`internal error: the program keeps no ${arena} state`);
      return refAt(base, ((slot.region === 'plain' ? sizes.decayed : 0) + slot.offset) * 4);
    },
    bytes: 4 * (learnable * arenas.size + sizes.statistics),
  };
}

/** Logical elements of a slot. */
export function slotCount(slot: Slot): number {
  return sizeOf(slot.shape);
}

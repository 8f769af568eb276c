/** What a program would be, without making it: the choice and the bytes of every node, and the memory of the whole. */

import { bind, type Dims } from '../../graph/bind.ts';
import type { Graph } from '../../graph/graph.ts';
import type { MemoryPlan, RepConvChoice } from '../engine.ts';
import { prepareGraph } from './engine.ts';
import { lower, type NodePlan } from './lower/lower.ts';
import { planMemory } from './memory.ts';

export interface ProgramPlan {
  readonly nodes: readonly NodePlan[];
  readonly memory: MemoryPlan;
}

export interface PlanOptions {
  readonly dims: Dims;
  readonly threads: number;
  readonly repConv?: RepConvChoice;
}

/** Lowers a graph and plans its memory, allocating none. */
export function planProgram(graph: Graph, { dims, threads, repConv }: PlanOptions): ProgramPlan {
  const { nodes, buffers, state } = lower(bind(prepareGraph(graph), dims), threads, repConv);
  return { nodes, memory: { state: state.bytes, activations: planMemory(buffers).transient } };
}

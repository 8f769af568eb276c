/** What a program would be, without making it: the choice and the bytes of every node, and the memory of the whole. */

import type { Dims } from '../../graph/bind.ts';
import type { Graph } from '../../graph/graph.ts';
import { OPS } from '../../graph/ops.ts';
import type { MemoryPlan, RepConvChoice } from '../engine.ts';
import { prepareGraph } from './engine.ts';
import { choosePlan, memoryOf } from './fit.ts';
import type { NodePlan } from './lower/lower.ts';
import { RULES } from './lower/rules.ts';
import { MAX_MEMORY_BYTES } from './memory.ts';

export interface ProgramPlan {
  readonly nodes: readonly NodePlan[];
  readonly memory: MemoryPlan;
}

export interface PlanOptions {
  readonly dims: Dims;
  readonly threads: number;
  readonly repConv?: RepConvChoice;
}

/** Plans a graph as it would be compiled, however large it is. */
export function planProgram(graph: Graph, { dims, threads, repConv }: PlanOptions): ProgramPlan {
  const options = {
    ops: OPS,
    rules: RULES,
    dims,
    threads,
    repConv,
    recompute: 'auto',
    memoryLimit: MAX_MEMORY_BYTES,
  } as const;
  const plan = choosePlan(prepareGraph(graph), options, () => true);
  return { nodes: plan.lowered.nodes, memory: memoryOf(plan) };
}

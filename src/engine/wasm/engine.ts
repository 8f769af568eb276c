/** The default engine for training and inference: AssemblyScript SIMD kernels on shared memory. */
import { bind } from '../../graph/bind.ts';
import type { Graph } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { expandBranches } from '../../graph/passes/branches.ts';
import { type Engine, unsupportedNodes } from '../engine.ts';
import { RULES } from './lower/rules.ts';
import type { Kernels } from './platform.ts';
import { makeProgram } from './program.ts';

/** Eval-mode RepConvs run branch by branch (fuse the graph to run it fast); train mode is folded online. */
export function prepareGraph(graph: Graph): Graph {
  const hasEval = graph.nodes.some((node) => node.kind === 'RepConv' && !node.attrs.training);
  return hasEval ? expandBranches(graph) : graph;
}

/** Makes the engine from compiled kernels. */
export function makeWasmEngine(kernels: Kernels, defaultThreads: number): Engine {
  const engine: Engine = {
    name: 'wasm',
    capabilities: () => ({
      ops: new Set(Object.keys(RULES) as OpKind[]),
      description: `wasm, ${kernels.description}`,
      tuning: kernels.tuning,
      threads: defaultThreads,
    }),
    async compile(graph, { dims, threads = defaultThreads, repConv }) {
      const missing = unsupportedNodes(engine, graph);
      if (missing.length) throw new TypeError(`the wasm engine can't run ${missing.join(', ')}`);
      return makeProgram(bind(prepareGraph(graph), dims), kernels, threads, repConv);
    },
  };
  return engine;
}

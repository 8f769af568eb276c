/** The default engine for training and inference: AssemblyScript SIMD kernels on shared memory. */
import { UserError } from '../../core/errors.ts';
import type { Graph } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { expandBranches } from '../../graph/passes/branches.ts';
import { updatesParameters } from '../../graph/state.ts';
import { type CompileOptions, type Engine, firstOf, threadsOf, unsupportedNodes } from '../engine.ts';
import { choosePlan, type FitOptions, memoryOf } from './fit.ts';
import { MAX_MEMORY_BYTES } from './memory.ts';
import type { Kernels } from './platform.ts';
import { allocate, makeProgram } from './program.ts';

/**
 * Eval-mode RepConvs run branch by branch (fuse the graph to run it fast), but inside a training step, whose RepConvs are all folded
 * online.
 */
export function prepareGraph(graph: Graph): Graph {
  const hasEval = graph.nodes.some((node) => node.kind === 'RepConv' && !node.attrs.training);
  return hasEval && !updatesParameters(graph) ? expandBranches(graph) : graph;
}

/** Makes the engine from compiled kernels. */
export function makeWasmEngine(kernels: Kernels, defaultThreads: number): Engine {
  const engine: Engine = {
    name: 'wasm',
    capabilities: () => ({
      ops: new Set(Object.keys(kernels.rules) as OpKind[]),
      description: `wasm, ${kernels.description}`,
      tuning: kernels.tuning,
      threads: defaultThreads,
    }),
    async compile(graph, options) {
      const prepared = prepareGraph(graph);
      const full = complete(prepared, options);
      let memory: WebAssembly.Memory | undefined;
      const plan = choosePlan(prepared, full, (bytes) => {
        memory = bytes <= full.memoryLimit ? allocate(bytes) : undefined;
        return memory !== undefined;
      });
      return await makeProgram(plan, memory!, kernels, full.threads);
    },
    plan(graph, options) {
      const prepared = prepareGraph(graph);
      const full = complete(prepared, options);
      return memoryOf(choosePlan(prepared, full, (bytes) => bytes <= full.memoryLimit));
    },
  };
  /** Options with their defaults, once it is known that every op of the prepared graph can be run. */
  const complete = (graph: Graph, options: CompileOptions): FitOptions => {
    const missing = unsupportedNodes(engine, graph);
    if (missing.length) throw new TypeError(`the wasm engine can't run ${firstOf(missing)}`);
    const threads = threadsOf(options.threads, defaultThreads);
    if (kernels.obstacle && threads > 1)
      throw new UserError(`The engine has 1 thread here: ${kernels.obstacle}.`, 'Leave threads at auto.');
    const { dims, repConv, recompute = 'auto', memoryLimit = MAX_MEMORY_BYTES } = options;
    return {
      ops: kernels.ops,
      rules: kernels.rules,
      dims,
      repConv,
      threads,
      recompute,
      memoryLimit: Math.min(memoryLimit, MAX_MEMORY_BYTES),
    };
  };
  return engine;
}

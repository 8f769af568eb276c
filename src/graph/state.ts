/** What update nodes keep beside each learnable parameter, named `<prefix>:<param>`: one table. */
import type { Graph } from './graph.ts';
import type { OpKind } from './kinds.ts';

export type StatePrefix = 'grad_sum' | 'momentum' | 'exp_avg' | 'exp_avg_sq' | 'ema';

/** Prefixes of the state of each update kind; names of AdamW's are PyTorch's. */
const UPDATE_STATE: { readonly [K in OpKind]?: readonly StatePrefix[] } = {
  AccumulateGrad: ['grad_sum'],
  Sgd: ['momentum'],
  AdamW: ['exp_avg', 'exp_avg_sq'],
  Ema: ['ema'],
};

/** Prefixes of the state that a graph's update nodes keep. */
export function statePrefixes(graph: Graph): StatePrefix[] {
  return [...new Set(graph.nodes.flatMap(({ kind }) => UPDATE_STATE[kind] ?? []))];
}

/** True when a run of the graph changes its learnable parameters: it has an optimizer. */
export function updatesParameters(graph: Graph): boolean {
  return graph.nodes.some(({ kind }) => kind === 'Sgd' || kind === 'AdamW');
}

/** From a candidate to what runtimes open. */
import { FORMS } from '../bench/forms.ts';
import type { MeasuredModel } from '../bench/results/session.ts';
import type { BenchModel } from '../bench/runtimes.ts';
import { benchModels } from '../bench/subjects-node.ts';
import { hashState } from '../export/onnx/write.ts';
import { DEFAULT_PREPROCESSING } from '../images/preprocess.ts';
import { initialState } from '../models/init.ts';
import { countsOf, measuredGraph, REFERENCE } from './candidates.ts';
import type { Candidate } from './study.ts';

/** A candidate with its counts, for one image. */
export interface Counted {
  readonly candidate: Candidate;
  readonly size: number;
  readonly batch: number;
  /** As the results store calls it. */
  readonly form: string;
  readonly macs: number;
  readonly params: number;
}

export function counted(candidate: Candidate): Counted {
  const { size = 224, batch = 1, form } = candidate;
  const { macs, params } = countsOf(candidate);
  return { candidate, size, batch, form: FORMS[form ?? 'fused'], macs, params };
}

/** Whether a candidate is the network that is measured in every group anyway. */
export const isReference = ({ candidate, size, batch }: Counted): boolean =>
  candidate.name === REFERENCE && size === 224 && batch === 1 && candidate.form === undefined;

/** A candidate with weights. */
export interface Prepared {
  readonly model: BenchModel;
  readonly measured: MeasuredModel;
}

/** Gives a candidate random weights, always the same ones. Its files are made when a runtime asks for them. */
export async function prepare({ candidate, size, batch, form, macs, params }: Counted): Promise<Prepared> {
  const graph = measuredGraph(candidate);
  const state = initialState(graph, 0);
  const source = {
    config: { in_chans: 3 },
    graph,
    state,
    form: 'fused',
    preprocessing: DEFAULT_PREPROCESSING,
  } as const;
  const model = { ...benchModels(source, { batch, size }).at(-1)!, name: form };
  const hash = (await hashState(state)).slice(0, 16);
  return { model, measured: { name: candidate.name, hash, size, batch, macs, parameters: params } };
}

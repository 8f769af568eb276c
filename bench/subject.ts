/** The network and the data that every side runs: random weights of seed 0, one fixed picture. */
import { scalar, type Tensor } from '../src/core/tensor.ts';
import type { Graph } from '../src/graph/graph.ts';
import { initialState } from '../src/models/init.ts';
import { mobileOne } from '../src/models/mobileone.ts';
import { modelConfig } from '../src/models/registry.ts';
import { fuse } from '../src/reparam/fuse.ts';
import { trainStep } from '../src/step/train-step.ts';
import type { SideSpec } from './spec.ts';

export interface BenchSubject {
  readonly graph: Graph;
  readonly state: ReadonlyMap<string, Tensor>;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly dims: { readonly N: number; readonly H: number; readonly W: number };
}

/** The fused network for inference, or the whole training step. */
export function benchSubject({ task, variant, k, batch, size }: SideSpec): BenchSubject {
  const config = modelConfig(variant, k ? { num_conv_branches: k } : {});
  const model = mobileOne(config);
  const state = initialState(model, 0);
  const data = Float32Array.from({ length: batch * 3 * size * size }, (_, i) => Math.sin(i * 0.37));
  const input = { shape: [batch, 3, size, size], data };
  const dims = { N: batch, H: size, W: size };
  if (task === 'infer') return { ...fuse(model, state), feeds: { input }, dims };
  const classes = config.num_classes;
  return {
    graph: trainStep(model, classes, { momentum: 0.9, nesterov: false, ema: true }),
    state,
    dims,
    feeds: {
      input,
      target: { shape: [batch, classes], data: new Float32Array(batch * classes).fill(1 / classes) },
      lr: scalar(0.01),
      weight_decay: scalar(1e-4),
      bn_momentum: scalar(0.1),
      ema_decay: scalar(0.9995),
    },
  };
}

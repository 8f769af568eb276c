/** Models, states and feeds that the engine tests share; without a test runner, so that a page can import them. */
import { random } from '../../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import type { RepConvChoice } from '../../../src/engine/engine.ts';
import { graphBuilder } from '../../../src/graph/build.ts';
import type { Graph } from '../../../src/graph/graph.ts';
import { initialState } from '../../../src/models/init.ts';
import { blockAttrs } from '../../../src/models/mobileone.ts';
import { type TrainStepOptions, trainStep } from '../../../src/step/train-step.ts';

const STEP: TrainStepOptions = { momentum: 0.9, nesterov: false, ema: true };

/** A graph with everything that a run of it needs. */
export interface Case {
  readonly graph: Graph;
  readonly dims: Record<string, number>;
  readonly feeds: Record<string, Tensor>;
  readonly state: StateDict;
  readonly steps?: number;
  readonly repConv?: RepConvChoice;
}

/** Random values of a shape; images like after a ReLU when `relu`. */
export function noise(shape: readonly number[], seed: number, relu = false): Tensor {
  const rng = random(seed);
  const data = new Float32Array(sizeOf(shape)).map(() => {
    const value = rng.normal();
    return relu ? Math.max(0, value) : value;
  });
  return { shape, data };
}

/** A state in which nothing is at its neutral value. */
export function lively(graph: Graph, seed: number): StateDict {
  const state = new Map(initialState(graph, seed));
  for (const [name, { role, shape }] of Object.entries(graph.params)) {
    const rng = random(seed, name.length);
    const around = role === 'norm_weight' || role === 'running_var' ? 1 : 0;
    if (role !== 'weight')
      state.set(name, { shape, data: new Float32Array(sizeOf(shape)).map(() => around + 0.3 * (rng.uniform() - 0.5)) });
  }
  return state;
}

const scalars = (values: Record<string, number>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { shape: [], data: Float32Array.of(value) }]),
  );

/** A training step of `model` on random images, soft targets and a lively state. */
export function stepCase(
  model: Graph,
  classes: number,
  dims: { N: number; H: number; W: number },
  channels: number,
  seed: number,
  options: TrainStepOptions = STEP,
): Case {
  const target = Float32Array.from(noise([dims.N, classes], seed + 1).data, (v) => v * v + 0.01);
  for (let n = 0; n < dims.N; n++) {
    const row = target.subarray(n * classes, (n + 1) * classes);
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((v, i) => {
      row[i] = v / sum;
    });
  }
  const graph = trainStep(model, classes, options);
  const feeds: Record<string, Tensor> = {
    input: noise([dims.N, channels, dims.H, dims.W], seed),
    target: { shape: [dims.N, classes], data: target },
    teacher: noise([dims.N, classes], seed + 2),
    ...scalars({
      lr: 0.05,
      weight_decay: 1e-3,
      bn_momentum: 0.1,
      ema_decay: 0.9,
      step: 3,
      grad_keep: 1,
      grad_scale: 0.5,
    }),
  };
  return {
    graph,
    dims,
    feeds: Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!])),
    state: lively(model, seed),
  };
}

/** One RepConv between a stem-like convolution and a head, so that its input gradient is exercised too. */
export function repConvModel(
  kernel: 1 | 3,
  channels: number,
  out: number,
  stride: 1 | 2,
  k: number,
  depthwise: boolean,
): Graph {
  const g = graphBuilder('one');
  const x = g.input('input', ['N', 3, 'H', 'W']);
  const stem = g.op('Relu', 'stem.act', [g.repConv('stem', x, blockAttrs(3, channels, 3, { stride: 1 }))], {});
  const outputs = depthwise ? channels : out;
  const attrs = blockAttrs(channels, outputs, kernel, {
    stride,
    num_conv_branches: k,
    ...(depthwise ? { groups: channels } : {}),
  });
  const y = g.op('Relu', 'block.act', [g.repConv('block', stem, attrs)], {});
  const pooled = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'pool', [y], {})], {});
  g.declare({ 'head.weight': { shape: [4, outputs], role: 'weight' }, 'head.bias': { shape: [4], role: 'bias' } });
  return g.build({ logits: g.op('Gemm', 'head', [pooled], {}, { weight: 'head.weight', bias: 'head.bias' }) });
}

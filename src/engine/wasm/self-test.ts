/**
 * The self-test of the wide kernels. They add in the same order as the 128-bit ones, so all results must have the same bits; a
 * V8 that merges vectors wrongly is found out before it computes anything for anyone.
 */
import { random } from '../../core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../core/tensor.ts';
import { convAttrs, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { OPS } from '../../graph/ops.ts';
import { initialState } from '../../models/init.ts';
import { blockAttrs, mobileOne } from '../../models/mobileone.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { attended, attentionScores, layerNorm, learned, linearLayer } from '../../models/zoo/tokens.ts';
import { trainStep } from '../../step/train-step.ts';
import { loadState } from '../engine.ts';
import { makeWasmEngine } from './engine.ts';
import { RULES } from './lower/rules.ts';
import type { KernelExports } from './platform.ts';

interface Subject {
  instantiate(memory: WebAssembly.Memory): KernelExports;
}

export interface SelfTestCase {
  readonly graph: Graph;
  readonly state: StateDict;
  readonly dims: Record<string, number>;
  readonly feeds: Record<string, Tensor>;
}

function noise(shape: readonly number[], seed: number): Tensor {
  const rng = random(seed);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()) };
}

const one = (value: number): Tensor => ({ shape: [], data: Float32Array.of(value) });

/** A training step with squeeze-and-excite (many and few positions, whole and half panels), and inference from bytes. */
export function selfTestCases(): SelfTestCase[] {
  const model = mobileOne({
    depths: [1, 1, 2, 1],
    widths: [0.375, 0.375, 0.25, 0.0625],
    num_conv_branches: 2,
    se_blocks: [0, 1, 1, 0],
    rd_divisor: 8,
    num_classes: 11,
    in_chans: 3,
  });
  const state = initialState(model, 1);
  const training: SelfTestCase = {
    graph: trainStep(model, 11, { momentum: 0.9, nesterov: true, ema: true }),
    state,
    dims: { N: 2, H: 70, W: 65 },
    feeds: {
      input: noise([2, 3, 70, 65], 2),
      target: { shape: [2, 11], data: new Float32Array(22).fill(1 / 11) },
      lr: one(0.1),
      weight_decay: one(1e-2),
      bn_momentum: one(0.1),
      ema_decay: one(0.9),
    },
  };
  const preprocessing = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] };
  const image = { shape: [1, 37, 41, 3], data: Uint8Array.from({ length: 37 * 41 * 3 }, (_, i) => (i * 7919) % 256) };
  const inference: SelfTestCase = {
    graph: withPreprocess(model, preprocessing),
    state,
    dims: { N: 1, H: 37, W: 41 },
    feeds: { image },
  };
  return [training, inference, otherTraining(), distillation(), otherOps(), baselineOps(), tokenOps()];
}

/** A training step with what a MobileOne's own does not have: a dense convolution behind another, another optimizer. */
function otherTraining(): SelfTestCase {
  const g = graphBuilder('dense');
  const x = g.input('input', ['N', 16, 'H', 'W']);
  const first = g.op('Relu', 'first.act', [g.repConv('first', x, blockAttrs(16, 24, 3, { stride: 1 }))], {});
  const second = g.op('Relu', 'second.act', [g.repConv('second', first, blockAttrs(24, 24, 3, { stride: 2 }))], {});
  const pooled = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'pool', [second], {})], {});
  g.declare({ 'head.weight': { shape: [3, 24], role: 'weight' }, 'head.bias': { shape: [3], role: 'bias' } });
  const model = g.build({
    logits: g.op('Gemm', 'head', [pooled], {}, { weight: 'head.weight', bias: 'head.bias' }),
  });
  const options = { optimizer: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-6, ema: false } as const;
  const gradients = { loss: { kind: 'BinaryCrossEntropyLoss' }, accumulate: true, clipGrad: 0.1 } as const;
  return {
    graph: trainStep(model, 3, { ...options, ...gradients }),
    state: initialState(model, 5),
    dims: { N: 2, H: 9, W: 7 },
    feeds: {
      input: noise([2, 16, 9, 7], 6),
      target: { shape: [2, 3], data: Float32Array.of(0.5, 0.25, 0.25, 0, 0, 1) },
      lr: one(0.01),
      weight_decay: one(0.1),
      bn_momentum: one(0.1),
      step: one(3),
      grad_keep: one(1),
      grad_scale: one(0.5),
    },
  };
}

/** A linear classifier that learns from a teacher. */
function distillation(): SelfTestCase {
  const g = graphBuilder('linear');
  const x = g.input('input', ['N', 24]);
  g.declare({ weight: { shape: [5, 24], role: 'weight' }, bias: { shape: [5], role: 'bias' } });
  const model = g.build({ logits: g.op('Gemm', 'fc', [x], {}, { weight: 'weight', bias: 'bias' }) });
  const attrs = { hard: 0.5, temperature: 2, form: 'dist', inter: 1, intra: 2 } as const;
  return {
    graph: trainStep(model, 5, {
      momentum: 0.9,
      nesterov: false,
      ema: false,
      loss: { kind: 'DistillationLoss', attrs },
    }),
    state: initialState(model, 7),
    dims: { N: 3 },
    feeds: {
      input: noise([3, 24], 8),
      target: { shape: [3, 5], data: new Float32Array(15).fill(0.2) },
      teacher: noise([3, 5], 9),
      lr: one(0.1),
      weight_decay: one(1e-2),
      bn_momentum: one(0.1),
    },
  };
}

/** Forms of a MobileOne's ops that it does not use itself. */
function otherOps(): SelfTestCase {
  const g = graphBuilder('other');
  const x = g.input('input', ['N', 24, 'H', 'W']);
  const wide = g.conv('wide', x, 24, 24, convAttrs(5, 1, 24));
  const sum = g.op('Add', 'sum', [x, wide], {});
  const product = g.op('Mul', 'product', [g.op('Relu', 'relu', [sum], {}), x], {});
  const pooled = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'pool', [product], {})], {});
  const graph = g.build({ product, soft: g.op('Softmax', 'soft', [pooled], {}) });
  const state = initialState(graph, 3);
  return { graph, state, dims: { N: 1, H: 7, W: 9 }, feeds: { input: noise([1, 24, 7, 9], 4) } };
}

/** Ops of the networks that a MobileOne is compared with. */
function baselineOps(): SelfTestCase {
  const g = graphBuilder('baseline');
  const x = g.input('input', ['N', 24, 'H', 'W']);
  g.declare({ slope: { shape: [24, 1, 1], role: 'weight' } });
  let y = g.op('PRelu', 'prelu', [x], {}, { slope: 'slope' });
  for (const kind of ['HardSigmoid', 'HardSwish', 'Swish', 'Gelu'] as const)
    y = g.op('Add', `${kind}.sum`, [g.op(kind, kind, [y], {}), x], {});
  const [first, second] = g.split('split', g.op('Clip', 'clip', [y], { min: 0, max: 6 }), [11, 13]) as [string, string];
  const shuffled = g.op('ChannelShuffle', 'shuffle', [g.op('Concat', 'concat', [second, first], { axis: 1 })], {
    groups: 2,
  });
  const padded = g.op('Pad', 'pad', [shuffled], { pads: [1, 0, 0, 1] });
  const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } as const;
  const largest = g.op('MaxPool', 'max', [padded], window);
  const means = g.op('AveragePool', 'means', [padded], { ...window, count_include_pad: false });
  const [single] = g.split('single', g.op('GlobalAveragePool', 'pooled', [means], {}), [1, 23]) as [string];
  const line = g.op('Add', 'line', [g.op('Mul', 'scaled', [means, single], {}), single], {});
  const most = g.op('Max', 'most', [largest, line, 'pooled'], {});
  const graph = g.build({ largest, means, most });
  const state = initialState(graph, 3);
  return { graph, state, dims: { N: 1, H: 7, W: 9 }, feeds: { input: noise([1, 24, 7, 9], 4) } };
}

/** Ops of transformers: an attention over the pixels of an image, with whole and broken rows. */
function tokenOps(): SelfTestCase {
  const g = graphBuilder('tokens');
  const rows = g.op('Reshape', 'rows', [g.input('input', ['N', 26, 'H', 'W'])], { shape: [0, 26, -1] });
  const pixels = g.op('Transpose', 'pixels', [rows], { perm: [0, 2, 1] });
  const x = layerNorm(g, 'norm', g.op('Max', 'max', [pixels, learned(g, 'least', [26])], {}), 26, 1e-6);
  const [q, k, v] = ['q', 'k', 'v'].map((name) => linearLayer(g, name, x, [26, 36])) as [string, string, string];
  const shape = { channels: 36, heads: 2 };
  const y = attended(g, 'attn', [attentionScores(g, 'attn', [q, k], shape), v], shape);
  const graph = g.build({ y });
  const state = initialState(graph, 3);
  return { graph, state, dims: { N: 2, H: 5, W: 7 }, feeds: { input: noise([2, 26, 5, 7], 4) } };
}

async function bitsOf(subject: Subject, { graph, state, dims, feeds }: SelfTestCase): Promise<Int32Array[]> {
  const kernels = {
    ops: OPS,
    rules: RULES,
    description: '',
    tuning: '',
    async start(memory: WebAssembly.Memory) {
      const kernels = subject.instantiate(memory);
      const run = (list: number, count: number): void => {
        kernels.run(list, count, 0, 1);
      };
      return { run, dispose: async () => {} };
    },
  };
  const program = await makeWasmEngine(kernels, 1).compile(graph, { dims });
  loadState(program, state);
  await program.run(feeds);
  const results = Object.values(await program.run(feeds));
  const values = [...results, ...program.stateNames.map((name) => program.read(name))];
  await program.dispose();
  return values.map(({ data }) => new Int32Array(Float32Array.from(data).buffer));
}

/** Whether two sets of kernels compute the same bits in every case. */
export async function sameBits(a: Subject, b: Subject): Promise<boolean> {
  for (const test of selfTestCases()) {
    const [first, second] = [await bitsOf(a, test), await bitsOf(b, test)];
    if (!first.every((bits, i) => bits.every((value, j) => value === second[i]![j]))) return false;
  }
  return true;
}

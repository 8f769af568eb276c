/**
 * Milliseconds per image of a whole training step (forward, backward, SGD, EMA), median over runs.
 * Usage: node build/bench-step.js [--variant s0] [--size 64] [--batch 32] [--threads 2] [--k 4] [--runs 9]
 *   [--optimizer sgd|adamw] [--recompute auto|never|depthwise]
 * Prints one JSON object a line.
 */
import { parseArgs } from 'node:util';
import { scalar } from '../src/core/tensor.ts';
import { loadState, type RecomputeChoice, type RepConvChoice } from '../src/engine/engine.ts';
import { nodeWasmEngine } from '../src/engine/wasm/node.ts';
import { initialState } from '../src/models/init.ts';
import { mobileOne } from '../src/models/mobileone.ts';
import { modelConfig } from '../src/models/registry.ts';
import { trainStep } from '../src/step/train-step.ts';

const { values } = parseArgs({
  options: {
    variant: { type: 'string', default: 's0' },
    size: { type: 'string', default: '64' },
    batch: { type: 'string', default: '32' },
    threads: { type: 'string', default: '2' },
    k: { type: 'string' },
    runs: { type: 'string', default: '9' },
    optimizer: { type: 'string', default: 'sgd' },
    recompute: { type: 'string', default: 'auto' },
    wide: { type: 'string', default: 'auto' },
    form: { type: 'string', default: 'auto' },
  },
});
const [size, batch, threads, runs] = [values.size, values.batch, values.threads, values.runs].map(Number) as [
  number,
  number,
  number,
  number,
];
const config = modelConfig(values.variant, values.k ? { num_conv_branches: Number(values.k) } : {});
const model = mobileOne(config);
const adamw = values.optimizer === 'adamw';
const step = trainStep(model, config.num_classes, {
  ema: true,
  ...(adamw
    ? { optimizer: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    : { optimizer: 'sgd', momentum: 0.9, nesterov: false }),
});
const engine = await nodeWasmEngine({ threads, wide: values.wide === 'off' ? 'off' : 'auto' });
const program = await engine.compile(step, {
  dims: { N: batch, H: size, W: size },
  repConv: values.form as RepConvChoice,
  recompute: values.recompute as RecomputeChoice,
});
loadState(program, initialState(model, 0));

const input = Float32Array.from({ length: batch * 3 * size * size }, (_, i) => Math.sin(i * 0.37));
const target = new Float32Array(batch * config.num_classes).fill(1 / config.num_classes);
const feeds = {
  input: { shape: [batch, 3, size, size], data: input },
  target: { shape: [batch, config.num_classes], data: target },
  lr: scalar(0.01),
  weight_decay: scalar(1e-4),
  bn_momentum: scalar(0.1),
  ...(adamw ? { step: scalar(1) } : {}),
  ema_decay: scalar(0.9995),
};
const times: number[] = [];
for (let i = 0; i <= runs; i++) {
  const start = performance.now();
  await program.run(feeds);
  if (i > 0) times.push((performance.now() - start) / batch);
}
times.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    bench: 'step',
    subject: `${values.variant} k=${config.num_conv_branches} ${size}px batch ${batch} ${threads} threads ${values.optimizer}`,
    value: Number(times[times.length >> 1]!.toFixed(3)),
    minimum: Number(times[0]!.toFixed(3)),
    unit: 'ms/image',
    engine: engine.capabilities().description,
    node: process.version,
    activationMegabytes: Math.round(program.memory.activations / 1e6),
    recomputed: program.memory.recomputed ?? false,
    stateMegabytes: Math.round(program.memory.state / 1e6),
  }),
);
await program.dispose();

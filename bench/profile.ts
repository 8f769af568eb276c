/**
 * Where the time of a training step (or an inference) goes, by instruction: milliseconds an image and GFLOPS of the products.
 * Usage: node build/bench-profile.js [--variant s0] [--size 224] [--batch 16] [--threads 1] [--k 4] [--runs 3] [--infer] [--wide off]
 */
import { parseArgs } from 'node:util';
import * as op from '../kernels/opcodes.ts';
import { scalar } from '../src/core/tensor.ts';
import { loadState, type RepConvChoice } from '../src/engine/engine.ts';
import { makeWasmEngine } from '../src/engine/wasm/engine.ts';
import { nodeKernels } from '../src/engine/wasm/node.ts';
import { initialState } from '../src/models/init.ts';
import { mobileOne } from '../src/models/mobileone.ts';
import { modelConfig } from '../src/models/registry.ts';
import { fuse } from '../src/reparam/fuse.ts';
import { trainStep } from '../src/step/train-step.ts';

const { values } = parseArgs({
  options: {
    variant: { type: 'string', default: 's0' },
    size: { type: 'string', default: '224' },
    batch: { type: 'string', default: '16' },
    threads: { type: 'string', default: '1' },
    k: { type: 'string' },
    runs: { type: 'string', default: '3' },
    wide: { type: 'string', default: 'auto' },
    form: { type: 'string', default: 'auto' },
    infer: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const [size, batch, threads, runs] = [values.size, values.batch, values.threads, values.runs].map(Number) as [
  number,
  number,
  number,
  number,
];
const OPCODES = Object.entries(op).filter(([name]) => name !== 'INSTRUCTION_WORDS');
const nameOf = (code: number): string => OPCODES.find(([, value]) => value === code)?.[0] ?? String(code);
const BYTES = op.INSTRUCTION_WORDS * 4;

/** Operations of one instruction, for the products only. */
function flops(code: number, args: Int32Array): number {
  const [, , , , , , , rows = 0, K = 0, O = 0] = args;
  if (code === op.GEMM) return 2 * rows * K * O;
  if (code === op.GEMM_INPUT_GRAD) return 2 * rows * K * (O + K);
  if (code === op.CORRELATE) return 2 * args[6]! * args[7]! * args[8]! * (args[9] ? 0.5 : 1);
  return 0;
}

const times = new Map<string, { ms: number; flops: number; calls: number }>();
const kernels = await nodeKernels({ wide: values.wide === 'off' ? 'off' : 'auto' });
const engine = makeWasmEngine(
  {
    ...kernels,
    async start(memory, count) {
      const runner = await kernels.start(memory, count);
      return {
        ...runner,
        async run(list, instructions) {
          for (let i = 0; i < instructions; i++) {
            const args = new Int32Array(memory.buffer, list + i * BYTES, op.INSTRUCTION_WORDS);
            const start = performance.now();
            await runner.run(list + i * BYTES, 1);
            const ms = performance.now() - start;
            const key = values.list ? `${String(i).padStart(4)} ${nameOf(args[0]!)}` : nameOf(args[0]!);
            const entry = times.get(key) ?? { ms: 0, flops: 0, calls: 0 };
            times.set(key, {
              ms: entry.ms + ms,
              flops: entry.flops + flops(args[0]!, args),
              calls: entry.calls + 1,
            });
          }
        },
      };
    },
  },
  threads,
);

const config = modelConfig(values.variant, values.k ? { num_conv_branches: Number(values.k) } : {});
const model = mobileOne(config);
const state = initialState(model, 0);
const subject = values.infer
  ? fuse(model, state)
  : { graph: trainStep(model, config.num_classes, { momentum: 0.9, nesterov: false, ema: true }), state };
const program = await engine.compile(subject.graph, {
  dims: { N: batch, H: size, W: size },
  repConv: values.form as RepConvChoice,
});
loadState(program, subject.state);
const input = Float32Array.from({ length: batch * 3 * size * size }, (_, i) => Math.sin(i * 0.37));
const target = new Float32Array(batch * config.num_classes).fill(1 / config.num_classes);
const feeds = {
  input: { shape: [batch, 3, size, size], data: input },
  ...(values.infer
    ? {}
    : {
        target: { shape: [batch, config.num_classes], data: target },
        lr: scalar(0.01),
        weight_decay: scalar(1e-4),
        bn_momentum: scalar(0.1),
        ema_decay: scalar(0.9995),
      }),
};
await program.run(feeds);
times.clear();
for (let i = 0; i < runs; i++) await program.run(feeds);
const rows = [...times].map(([name, { ms, flops: f, calls }]) => ({
  name,
  calls: calls / runs,
  ms: ms / runs / batch,
  gflops: f / ms / 1e6,
}));
const total = rows.reduce((sum, { ms }) => sum + ms, 0);
console.log(
  `${values.variant} ${size} px batch ${batch} ${threads} threads: ${total.toFixed(2)} ms/image (${kernels.description})`,
);
for (const { name, calls, ms, gflops } of values.list ? rows : rows.toSorted((a, b) => b.ms - a.ms)) {
  const share = `${((100 * ms) / total).toFixed(1)} %`;
  console.log(
    `${name.padEnd(24)} ${String(calls).padStart(5)} ${ms.toFixed(3).padStart(8)} ms ${share.padStart(7)}${gflops ? ` ${gflops.toFixed(1).padStart(6)} GFLOPS` : ''}`,
  );
}
await program.dispose();

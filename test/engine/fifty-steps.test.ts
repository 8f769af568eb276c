/** Fifty steps of a tiny model with everything on: the wasm engine stays on the float64 reference's path. */
import { expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { scalar, type Tensor } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { initialState } from '../../src/models/init.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { emaDecay, learningRate, weightDecay } from '../../src/step/schedules.ts';
import { trainStep } from '../../src/step/train-step.ts';
import { smoothedTarget } from '../../src/train/target.ts';

const STEPS = 50;
const [N, SIZE, CLASSES] = [8, 48, 4];

const MODEL = mobileOne({
  depths: [1, 1, 1, 1],
  widths: [0.25, 0.125, 0.125, 0.0625],
  num_conv_branches: 3,
  se_blocks: [0, 0, 0, 0],
  rd_divisor: 8,
  num_classes: CLASSES,
  in_chans: 3,
});

/** Images whose class is the direction of a gradient over them, with noise. */
function batch(step: number): { input: Tensor; labels: Int32Array } {
  const rng = random(5, step);
  const labels = Int32Array.from({ length: N }, () => rng.int(CLASSES));
  const data = new Float32Array(N * 3 * SIZE * SIZE);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [i % SIZE, Math.floor(i / SIZE) % SIZE];
    const label = labels[Math.floor(i / (3 * SIZE * SIZE))]!;
    data[i] = ([x, SIZE - x, y, SIZE - y][label]! / SIZE - 0.5) * 2 + 0.5 * rng.normal();
  }
  return { input: { shape: [N, 3, SIZE, SIZE], data }, labels };
}

test('50 steps with EMA, annealed weight decay and clipping: wasm is the reference up to rounding', async () => {
  const graph = trainStep(MODEL, CLASSES, { momentum: 0.9, nesterov: true, ema: true, clipGrad: 2 });
  const programs = await Promise.all(
    [createReferenceEngine(), await nodeWasmEngine({ threads: 2 })].map((engine) =>
      engine.compile(graph, { dims: { N, H: SIZE, W: SIZE } }),
    ),
  );
  const state = initialState(MODEL, 1);
  for (const program of programs) {
    loadState(program, state);
    for (const name of program.stateNames.filter((key) => key.startsWith('ema:')))
      program.write(name, program.read(name.slice('ema:'.length)));
  }
  const losses: number[][] = [[], []];
  const norms: number[][] = [[], []];
  for (let t = 0; t < STEPS; t++) {
    const { input, labels } = batch(t);
    const schedule = { start: 0.02, end: 0, warmupSteps: 5, totalSteps: STEPS };
    const feeds = {
      input,
      target: smoothedTarget(labels, CLASSES, 0.1),
      lr: scalar(learningRate(schedule, t)),
      weight_decay: scalar(weightDecay(1e-3, 1e-4, t, STEPS)),
      bn_momentum: scalar(0.1),
      ema_decay: scalar(emaDecay(0.95, t)),
    };
    for (const [i, program] of programs.entries()) {
      const { loss, grad_norm } = await program.run(feeds);
      losses[i]!.push(loss!.data[0]!);
      norms[i]!.push(grad_norm!.data[0]!);
    }
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;
  // It learns, and clipping has been at work in some steps and not in others.
  expect(mean(losses[0]!.slice(-10))).toBeLessThan(0.85 * mean(losses[0]!.slice(0, 10)));
  expect(norms[0]!.some((norm) => norm > 2)).toBe(true);
  expect(norms[0]!.some((norm) => norm < 2)).toBe(true);
  losses[0]!.forEach((loss, t) => {
    expect(Math.abs(losses[1]![t]! - loss) / loss, `loss of step ${t + 1}`).toBeLessThan(1e-5);
  });
  for (const name of programs[0]!.stateNames) {
    const [expected, actual] = programs.map((program) => program.read(name).data) as [Float64Array, Float32Array];
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! - value)), 0);
    // A gradient jumps where an activation rounds to the other side of a ReLU's zero; what is learned hardly moves.
    expect(worst / largest, name).toBeLessThan(name.startsWith('momentum:') ? 5e-2 : 1e-4);
  }
  for (const program of programs) await program.dispose();
});

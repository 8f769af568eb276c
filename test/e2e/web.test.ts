/** The library in a real browser: a training step and a fused inference in Chromium, compared with the reference engine here. */
import { expect, test } from 'vitest';
import {
  createReferenceEngine,
  fuse,
  initialState,
  loadState,
  mobileOne,
  modelConfig,
  scalar,
  trainStep,
} from '../../src/index.ts';
import { ENGINE_PROPERTIES } from '../engine/cases/properties.ts';
import { answerFromChromium, chromiumReady, WORKER_PAGE } from './chromium.ts';

const SIZE = 33;
const CONFIG = modelConfig('s0', { depths: [1, 1, 1, 1], widths: [0.25, 0.25, 0.25, 0.125], num_classes: 5 });

/** What runs in the page's worker; \`library\` is the built `mobileone/web`. */
const WORKER = `
import { fuse, initialState, loadState, mobileOne, modelConfig, scalar, trainStep, webWasmEngine } from '/dist/web.js';
const { config, size } = await (await fetch('/case.json')).json();
const engine = await webWasmEngine({ kernels: '/dist/kernels/' });
const model = mobileOne(config), state = initialState(model, 3);
const input = { shape: [4, 3, size, size], data: Float32Array.from({ length: 12 * size * size }, (_, i) => Math.sin(i * 0.7)) };
const target = { shape: [4, 5], data: new Float32Array(20).fill(0.2) };
const dims = { N: 4, H: size, W: size };
const step = await engine.compile(trainStep(model, 5, { momentum: 0.9, nesterov: false, ema: false }), { dims });
loadState(step, state);
const trained = await step.run({ input, target, lr: scalar(0.1), weight_decay: scalar(1e-4), bn_momentum: scalar(0.1) });
const fused = fuse(model, state);
const inference = await engine.compile(fused.graph, { dims });
loadState(inference, fused.state);
const { logits } = await inference.run({ input });
const answer = { description: engine.capabilities().description, loss: [...trained.loss.data], logits: [...logits.data], weight: [...step.read('stages.0.0.conv_kxk.1.conv.weight').data] };
await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
`;
/** Largest difference relative to the largest value. */
function relativeError(actual: number[], expected: ArrayLike<number>): number {
  const values = Array.from(expected);
  return Math.max(...values.map((v, i) => Math.abs(v - actual[i]!))) / Math.max(...values.map(Math.abs));
}

test.skipIf(!chromiumReady)(
  'Chromium trains and infers like the reference (skipped without Chromium or a build)',
  async () => {
    const texts = {
      '/': WORKER_PAGE,
      '/worker.js': WORKER,
      '/case.json': JSON.stringify({ config: CONFIG, size: SIZE }),
    };
    const answer = await answerFromChromium({ texts });
    expect(answer.error).toBeUndefined();
    const model = mobileOne(CONFIG);
    const state = initialState(model, 3);
    const dims = { N: 4, H: SIZE, W: SIZE };
    const input = {
      shape: [4, 3, SIZE, SIZE],
      data: Float32Array.from({ length: 12 * SIZE * SIZE }, (_, i) => Math.sin(i * 0.7)),
    };
    const reference = createReferenceEngine();
    const step = await reference.compile(trainStep(model, 5, { momentum: 0.9, nesterov: false, ema: false }), { dims });
    loadState(step, state);
    const target = { shape: [4, 5], data: new Float32Array(20).fill(0.2) };
    const trained = await step.run({
      input,
      target,
      lr: scalar(0.1),
      weight_decay: scalar(1e-4),
      bn_momentum: scalar(0.1),
    });
    const fused = fuse(model, state);
    const inference = await reference.compile(fused.graph, { dims });
    loadState(inference, fused.state);
    const { logits } = await inference.run({ input });
    expect(answer.description).toMatch(/SIMD/);
    expect(relativeError(answer.loss as number[], trained.loss!.data)).toBeLessThan(1e-4);
    expect(relativeError(answer.logits as number[], logits!.data)).toBeLessThan(1e-4);
    expect(relativeError(answer.weight as number[], step.read('stages.0.0.conv_kxk.1.conv.weight').data)).toBeLessThan(
      1e-4,
    );
  },
);

const WORKER_OF_CASES = "import '/build/engine-page.js';";

/** Runs the engine's cases in a worker of a page. */
async function casesInChromium(
  setup: { builds: string[]; threads: number[]; share: number },
  isolated: boolean,
): Promise<{ passed: number; failures: string[]; descriptions: string[] }> {
  const texts = { '/': WORKER_PAGE, '/worker.js': WORKER_OF_CASES, '/setup.json': JSON.stringify(setup) };
  const answer = await answerFromChromium({ texts, isolated });
  expect(answer.error).toBeUndefined();
  return answer as unknown as { passed: number; failures: string[]; descriptions: string[] };
}

test.skipIf(!chromiumReady)("Chromium: the engine's cases on both builds, 1 and 2 threads", async () => {
  const builds = ['baseline', 'relaxed'];
  const { passed, failures, descriptions } = await casesInChromium({ builds, threads: [1, 2], share: 0.2 }, true);
  expect(failures).toEqual([]);
  expect(passed).toBe(4 * ENGINE_PROPERTIES.length);
  expect(descriptions.map((text) => text.split('; ')[1])).toEqual(['1', '2', '1', '2']);
});

test.skipIf(!chromiumReady)('Chromium without isolation: one thread, and it says why', async () => {
  const { passed, failures, descriptions } = await casesInChromium(
    { builds: ['relaxed'], threads: [2], share: 0.05 },
    false,
  );
  expect(failures).toEqual([]);
  expect(passed).toBe(ENGINE_PROPERTIES.length);
  expect(descriptions[0]).toMatch(/1 thread: the page is not cross-origin isolated.*; 1$/);
});

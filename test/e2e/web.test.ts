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
import { breaking } from '../engine/cases/broken-worker.ts';
import type { PageSetup } from '../engine/cases/page.ts';
import { ENGINE_PROPERTIES } from '../engine/cases/properties.ts';
import { rounds } from '../rounds.ts';
import { answerFromChromium, chromiumReady, type PageOptions, PLAIN_PAGE, WORKER_PAGE } from './chromium.ts';

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

interface CasesAnswer {
  readonly passed: number;
  readonly failures: readonly string[];
  readonly descriptions: readonly string[];
}

/** Runs the engine's cases in Chromium, in a worker of the page unless `page` runs them itself. */
async function casesInChromium(
  setup: PageSetup,
  options: Omit<PageOptions, 'texts'> & { readonly page?: string } = {},
): Promise<CasesAnswer> {
  const { page = WORKER_PAGE, ...how } = options;
  const worker = "import '/build/engine-page.js';";
  const answer = await answerFromChromium({
    texts: { '/': page, '/worker.js': worker, '/setup.json': JSON.stringify(setup) },
    ...how,
  });
  expect(answer.error).toBeUndefined();
  return answer as unknown as CasesAnswer;
}

test.skipIf(!chromiumReady)("Chromium: the engine's cases on both builds, 1 and 2 threads", async () => {
  const builds = ['baseline', 'relaxed'] as const;
  const { passed, failures, descriptions } = await casesInChromium({ builds, threads: [1, 2], share: 0.2 });
  expect(failures).toEqual([]);
  expect(passed).toBe(ENGINE_PROPERTIES.length);
  expect(descriptions.map((text) => text.split('; ')[1])).toEqual(['1', '2', '1', '2']);
});

test.skipIf(!chromiumReady).each<[string, number, Parameters<typeof casesInChromium>[1], RegExp]>([
  [
    'without isolation',
    rounds(ENGINE_PROPERTIES.length),
    { isolated: false },
    /1 thread: the page is not cross-origin isolated/,
  ],
  [
    'where blobs are no workers',
    1,
    { headers: { 'content-security-policy': "worker-src 'self'" } },
    /1 thread: the page forbids workers from blobs/,
  ],
])('Chromium %s: one thread, and it says why', async (_, properties, options, why) => {
  const setup = { builds: ['relaxed'], threads: [2], share: 0.05, properties } as const;
  const { passed, failures, descriptions } = await casesInChromium(setup, options);
  expect(failures).toEqual([]);
  expect(passed).toBe(properties);
  expect(descriptions[0]).toMatch(why);
  expect(descriptions[0]).toMatch(/; 1$/);
});

test.skipIf(!chromiumReady)('Chromium in the page itself: the page leads threads that are all workers', async () => {
  const setup = {
    builds: ['relaxed'],
    threads: [1, 2],
    share: 0.05,
    properties: rounds(ENGINE_PROPERTIES.length),
  } as const;
  const { passed, failures, descriptions } = await casesInChromium(setup, { page: PLAIN_PAGE });
  expect(failures).toEqual([]);
  expect(passed).toBe(setup.properties);
  expect(descriptions.map((text) => text.split('; ')[1])).toEqual(['1', '2']);
});

test.skipIf(!chromiumReady).each([
  ['a worker', WORKER_PAGE],
  ['the page itself', PLAIN_PAGE],
])('Chromium in %s: a kernel thread that dies ends the run with a message', async (_, page) => {
  const broken = breaking('throw new WebAssembly.RuntimeError("unreachable");');
  const { failures } = await casesInChromium({ builds: ['relaxed'], threads: [2, 3], share: 0, broken }, { page });
  const end = (threads: number): unknown =>
    expect.stringMatching(`A thread of the engine stopped .thread . of ${threads}: .*unreachable`);
  expect(failures).toEqual([end(2), end(2), end(3), end(3)]);
});

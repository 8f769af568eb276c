/** What must hold for the wasm engine on any build and number of threads: one table; without a test runner. */
import fc from 'fast-check';
import { scalar } from '../../../src/core/tensor.ts';
import type { RepConvChoice } from '../../../src/engine/engine.ts';
import { freezeNodes } from '../../../src/graph/passes/freeze.ts';
import { mobileOne, stageOf } from '../../../src/models/mobileone.ts';
import { withPreprocess } from '../../../src/models/preprocess.ts';
import type { LossOptions } from '../../../src/step/losses.ts';
import type { OptimizerOptions } from '../../../src/step/optimizers.ts';
import { expectAgreement, runOn, type Setup } from './agreement.ts';
import { inferenceCases } from './inference-ops.ts';
import { lively, noise, repConvModel, stepCase } from './models.ts';
import { randomTensorCase } from './random-tensors.ts';
import { tokenCases } from './token-ops.ts';

/** Both ways to train a pointwise RepConv. */
const FORMS: readonly RepConvChoice[] = ['online', 'explicit'];

const LOSSES: readonly LossOptions[] = [
  { kind: 'SoftmaxCrossEntropyLoss' },
  { kind: 'BinaryCrossEntropyLoss' },
  { kind: 'DistillationLoss', attrs: { form: 'soft', hard: 0.3, temperature: 4, soft: 0.7 } },
  { kind: 'DistillationLoss', attrs: { form: 'dist', hard: 1, temperature: 2, inter: 1, intra: 2 } },
];

const OPTIMIZERS: readonly OptimizerOptions[] = [
  { momentum: 0.9, nesterov: true },
  { optimizer: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-4 },
];

export interface EngineProperty {
  readonly name: string;
  /** Throws what does not hold. `share` is the part of the random runs to make: 1 for all. */
  check(on: readonly Setup[], share: number): Promise<void>;
}

export const ENGINE_PROPERTIES: readonly EngineProperty[] = [
  {
    name: 'depthwise RepConv: outputs, all gradients, statistics, any size',
    async check(on, share) {
      const cases = fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 19 }),
        fc.integer({ min: 1, max: 21 }),
        fc.constantFrom<1 | 2>(1, 2),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 0, max: 1000 }),
        async (channels, h, w, stride, k, n, seed) => {
          fc.pre(Math.ceil(h / stride) * Math.ceil(w / stride) * n > 8);
          const model = repConvModel(3, channels, channels, stride, k, true);
          await expectAgreement(on, stepCase(model, 4, { N: n, H: h, W: w }, 3, seed));
        },
      );
      await fc.assert(cases, { numRuns: Math.ceil(25 * share), seed: 1 });
    },
  },

  // From two input channels on: the gradient of a lone weight before BatchNorm is nothing but ε and rounding.
  {
    name: 'pointwise RepConv: outputs, all gradients, statistics, any channel count',
    async check(on, share) {
      const cases = fc.asyncProperty(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 0, max: 1000 }),
        async (channels, out, h, w, k, n, seed) => {
          const model = repConvModel(1, channels, out, 1, k, false);
          const one = stepCase(model, 4, { N: n, H: h, W: w }, 3, seed);
          for (const repConv of FORMS) await expectAgreement(on, { ...one, repConv });
        },
      );
      await fc.assert(cases, { numRuns: Math.ceil(15 * share), seed: 2 });
    },
  },

  {
    name: 'many positions: raw moments instead of centered rows',
    async check(on) {
      for (const [kernel, stride, depthwise] of [
        [1, 1, false],
        [3, 1, true],
        [3, 2, true],
      ] as const) {
        const model = repConvModel(kernel, 16, 24, stride, 2, depthwise);
        const one = stepCase(model, 4, { N: 3, H: 37, W: 45 }, 3, 7);
        for (const repConv of FORMS) await expectAgreement(on, { ...one, repConv });
      }
    },
  },

  {
    name: 'wide matrices: packed correlations, whole and half panels, both forms, with and without a skip branch',
    async check(on) {
      for (const out of [264, 280]) {
        const one = stepCase(repConvModel(1, 264, out, 1, 1, false), 4, { N: 2, H: 9, W: 15 }, 3, 8);
        for (const repConv of FORMS) await expectAgreement(on, { ...one, repConv });
      }
    },
  },

  {
    name: 'a MobileOne with SE, any image size and number of input channels, three steps',
    async check(on) {
      const model = mobileOne({
        depths: [1, 2, 1, 1],
        widths: [0.3, 0.25, 0.2, 0.1],
        num_conv_branches: 2,
        se_blocks: [0, 1, 0, 1],
        rd_divisor: 8,
        num_classes: 5,
        in_chans: 4,
      });
      const one = stepCase(model, 5, { N: 6, H: 40, W: 37 }, 4, 3, { momentum: 0.9, nesterov: true, ema: true });
      for (const repConv of ['auto', ...FORMS] as const) await expectAgreement(on, { ...one, steps: 3, repConv });
    },
  },

  {
    name: 'every loss, optimizer and treatment of gradients, in a half-frozen network',
    async check(on) {
      const whole = mobileOne({
        depths: [1, 1, 1, 1],
        widths: [0.3, 0.25, 0.2, 0.1],
        num_conv_branches: 2,
        se_blocks: [0, 1, 0, 1],
        rd_divisor: 8,
        num_classes: 5,
        in_chans: 3,
      });
      const model = freezeNodes(whole, ({ name }) => stageOf(name) < 3);
      const lrScale = (param: string): number => 0.5 ** (5 - stageOf(param));
      for (const loss of LOSSES)
        for (const optimizer of OPTIMIZERS) {
          const options = { ...optimizer, loss, ema: true, lrScale, clipGrad: 0.1, accumulate: true };
          const fresh = stepCase(model, 5, { N: 8, H: 64, W: 61 }, 3, 3, options);
          const state = new Map(fresh.state);
          for (const [name, { shape, role, frozen }] of Object.entries(model.params))
            if (!frozen && !role.startsWith('running')) state.set(`grad_sum:${name}`, noise(shape, name.length));
          const one = { ...fresh, state };
          await expectAgreement(on, one);
          const waiting = { ...one.feeds, grad_scale: scalar(0), ema_decay: scalar(1) };
          for (const { name: setup, engine, threads } of on) {
            const [, program] = await runOn(engine, { ...one, feeds: waiting }, threads);
            for (const [name, { data }] of fresh.state) {
              if (!(name in model.params) || name.includes('running_')) continue;
              const now = program.read(name).data;
              if (data.some((v, i) => now[i] !== v))
                throw new Error(`${setup}: ${name} was updated at a scale of zero`);
            }
            await program.dispose();
          }
        }
    },
  },

  {
    name: 'fixed statistics: every kernel, stride and branch, gradients and all',
    async check(on) {
      const options = { momentum: 0.9, nesterov: false, ema: true, freezeBn: true };
      for (const [kernel, stride, depthwise, k] of [
        [1, 1, false, 3],
        [3, 1, true, 2],
        [3, 2, true, 2],
      ] as const)
        for (const [N, H, W] of [
          [2, 5, 7],
          [3, 37, 33],
        ] as const) {
          const model = repConvModel(kernel, 16, depthwise ? 16 : 24, stride, k, depthwise);
          await expectAgreement(on, stepCase(model, 4, { N, H, W }, 3, 7, options));
        }
      const whole = mobileOne({
        depths: [1, 2, 1, 1],
        widths: [0.3, 0.25, 0.2, 0.1],
        num_conv_branches: 2,
        se_blocks: [0, 1, 0, 1],
        rd_divisor: 8,
        num_classes: 5,
        in_chans: 3,
      });
      await expectAgreement(on, { ...stepCase(whole, 5, { N: 4, H: 40, W: 37 }, 3, 3, options), steps: 2 });
    },
  },

  {
    name: 'eval: train form branch by branch, uint8 input with the preprocessing inside',
    async check(on) {
      const model = mobileOne(
        {
          depths: [1, 1, 1, 1],
          widths: [0.3, 0.25, 0.2, 0.1],
          num_conv_branches: 3,
          se_blocks: [0, 0, 1, 0],
          rd_divisor: 8,
          num_classes: 7,
          in_chans: 3,
        },
        { features: true },
      );
      const graph = withPreprocess(model, { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
      const image = { shape: [2, 41, 38, 3], data: new Uint8Array(2 * 41 * 38 * 3).map((_, i) => (i * 7919) % 256) };
      await expectAgreement(on, { graph, dims: { N: 2, H: 41, W: 38 }, feeds: { image }, state: lively(model, 5) });
    },
  },

  {
    name: 'inference: activations, windows, parts of channels, gates, depthwise kernels of any size',
    async check(on) {
      for (const one of inferenceCases()) await expectAgreement(on, one);
    },
  },
  {
    name: 'tensors of any shape: turned, reshaped, cut, joined, multiplied, in any order',
    async check(on, share) {
      for (const one of tokenCases()) await expectAgreement(on, one);
      const cases = fc.asyncProperty(fc.nat(1e6), async (seed) => {
        await expectAgreement(on, randomTensorCase(seed));
      });
      await fc.assert(cases, { numRuns: Math.ceil(60 * share), seed: 3 });
    },
  },
];

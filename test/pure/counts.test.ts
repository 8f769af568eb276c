import { expect, test } from 'vitest';
import { bind } from '../../src/graph/bind.ts';
import { cost } from '../../src/graph/cost.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { mobileOne, VARIANTS, type Variant } from '../../src/models/mobileone.ts';
import { trainStep } from '../../src/step/train-step.ts';

/** Parameters and MACs at 224 px of the train form (Apple's code, MMPretrain's metafile, timm's results agree). */
const TRAIN: Record<Variant, [params: number, macs: number]> = {
  s0: [5_293_272, 1_051_935_232],
  s1: [4_825_192, 830_062_080],
  s2: [7_884_648, 1_304_027_392],
  s3: [10_170_600, 1_902_112_768],
  s4: [14_951_248, 2_986_802_432],
};

test.each(Object.keys(VARIANTS) as Variant[])('%s: parameters and MACs of the train form', (variant) => {
  const counted = cost(bind(mobileOne(VARIANTS[variant]), { N: 1, H: 224, W: 224 }));
  expect([counted.params, counted.macs]).toEqual(TRAIN[variant]);
});

/** The same of the fused form (the paper's Table 7, MMPretrain's metafile and timm's results, with the classifier). */
const FUSED: Record<Variant, [params: number, macs: number]> = {
  s0: [2_078_504, 275_110_400],
  s1: [4_764_840, 825_057_024],
  s2: [7_808_168, 1_298_426_496],
  s3: [10_078_312, 1_895_790_592],
  s4: [14_838_352, 2_979_269_760],
};

test.each(Object.keys(VARIANTS) as Variant[])('%s: parameters and MACs of the fused form', (variant) => {
  const counted = cost(bind(fuseGraph(mobileOne(VARIANTS[variant])), { N: 1, H: 224, W: 224 }));
  expect([counted.params, counted.macs]).toEqual(FUSED[variant]);
});

test.each(Object.keys(VARIANTS) as Variant[])('%s: the training step has consistent shapes', (variant) => {
  const step = trainStep(mobileOne(VARIANTS[variant]), 1000, { momentum: 0.9, nesterov: false, ema: true });
  const { shapes } = bind(step, { N: 2, H: 64, W: 64 });
  for (const [name, spec] of Object.entries(step.params)) {
    if (!spec.role.startsWith('running')) expect(shapes.get(`grad:${name}`)).toEqual(spec.shape);
  }
});

import { expect, test } from 'vitest';
import { isStepCounter, toApple, toTimm } from '../../src/checkpoint/names.ts';
import { mobileOne, VARIANTS } from '../../src/models/mobileone.ts';

const PAIRS = [
  ['stage0.rbr_conv.0.conv.weight', 'stem.conv_kxk.0.conv.weight'],
  ['stage0.rbr_scale.bn.running_mean', 'stem.conv_scale.bn.running_mean'],
  ['stage1.0.rbr_conv.3.bn.bias', 'stages.0.0.conv_kxk.3.bn.bias'],
  ['stage4.1.rbr_skip.weight', 'stages.3.1.identity.weight'],
  ['stage3.12.se.reduce.weight', 'stages.2.12.attn.fc1.weight'],
  ['stage3.12.se.expand.bias', 'stages.2.12.attn.fc2.bias'],
  ['stage2.7.reparam_conv.bias', 'stages.1.7.reparam_conv.bias'],
  ['linear.weight', 'head.fc.weight'],
  ['ema:stage0.rbr_skip.bias', 'ema:stem.identity.bias'],
] as const;

test.each(PAIRS)('%s is %s', (apple, timm) => {
  expect(toTimm(apple)).toBe(timm);
  expect(toApple(timm)).toBe(apple);
});

test('every parameter of S0 and S4 goes to Apple and back; timm names pass through', () => {
  for (const variant of ['s0', 's4'] as const) {
    const names = Object.keys(mobileOne(VARIANTS[variant]).params);
    expect(names.map(toApple).map(toTimm)).toEqual(names);
    expect(names.map(toTimm)).toEqual(names);
    expect(names.filter((name) => toApple(name) === name)).toEqual([]);
  }
});

test('step counters are known', () => {
  expect(isStepCounter('stage1.1.rbr_skip.num_batches_tracked')).toBe(true);
  expect(isStepCounter('stage1.1.rbr_skip.running_var')).toBe(false);
});

import { expect, test } from 'vitest';
import { adaptInputChannels } from '../../src/checkpoint/input-channels.ts';
import { convertChannels } from '../../src/images/channels.ts';
import { normalizationOf } from '../../src/images/preprocess.ts';

test('channels: every conversion of one pixel', () => {
  const pixel: Readonly<Record<number, number[]>> = { 1: [90], 2: [90, 7], 3: [200, 30, 60], 4: [200, 30, 60, 7] };
  // Pillow: Image.new('RGB', (1, 1), (200, 30, 60)).convert('L').getpixel((0, 0)) is 84.
  const expected: Readonly<Record<string, number[]>> = {
    '1 2': [90, 255],
    '1 3': [90, 90, 90],
    '1 4': [90, 90, 90, 255],
    '2 1': [90],
    '2 3': [90, 90, 90],
    '2 4': [90, 90, 90, 7],
    '3 1': [84],
    '3 2': [84, 255],
    '3 4': [200, 30, 60, 255],
    '4 1': [84],
    '4 2': [84, 7],
    '4 3': [200, 30, 60],
  };
  for (const from of [1, 2, 3, 4]) {
    for (const to of [1, 2, 3, 4]) {
      const twice = Uint8Array.from([...pixel[from]!, ...pixel[from]!]);
      const wanted = from === to ? pixel[from]! : expected[`${from} ${to}`]!;
      expect([...convertChannels(twice, from, to)]).toEqual([...wanted, ...wanted]);
    }
  }
});

test("the stem's kernels for other channels, by timm's rule", () => {
  const kernel = { shape: [1, 3, 1, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  const other = { shape: [4, 3, 1, 1], data: new Float32Array(12) };
  const state = new Map([
    ['stem.conv_kxk.0.conv.weight', kernel],
    ['stages.0.0.conv_kxk.0.conv.weight', other],
    ['stem.conv_kxk.0.bn.weight', { shape: [1], data: Float32Array.of(8) }],
  ]);
  const adapted = (to: number): number[] => {
    const all = adaptInputChannels(state, 3, to, 'x');
    expect(all.get('stages.0.0.conv_kxk.0.conv.weight')).toBe(other);
    expect(all.get('stem.conv_kxk.0.bn.weight')!.data[0]).toBe(8);
    const { shape, data } = all.get('stem.conv_kxk.0.conv.weight')!;
    expect(shape).toEqual([1, to, 1, 2]);
    return [...data];
  };
  expect(adapted(1)).toEqual([9, 12]);
  expect(adapted(2)).toEqual([1.5, 3, 4.5, 6]);
  expect(adapted(4)).toEqual([0.75, 1.5, 2.25, 3, 3.75, 4.5, 0.75, 1.5]);
  expect(adaptInputChannels(state, 3, 3, 'x')).toBe(state);
  expect(() => adaptInputChannels(state, 1, 3, 'gray.safetensors')).toThrow(/only weights for RGB/);
});

test('mean and deviation for other channels are the average', () => {
  const auto = { mean: null, std: null };
  expect(normalizationOf({ ...auto, in_chans: 3 }).mean).toEqual([0.485, 0.456, 0.406]);
  expect(normalizationOf({ ...auto, in_chans: 1 })).toEqual({ mean: [0.449], std: [0.226] });
  expect(normalizationOf({ mean: [0.1, 0.2], std: null, in_chans: 2 })).toEqual({
    mean: [0.1, 0.2],
    std: [0.226, 0.226],
  });
});

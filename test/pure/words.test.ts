/** What people are told about their device. */
import { expect, test } from 'vitest';
import type { Measurement } from '../../src/bench/measure.ts';
import { briefly, findings, meaningOf, spanText, titleOf } from '../../src/bench/phone/words.ts';

const measured = (key: string, threads: number, means: readonly number[]): Measurement => {
  const mean = means.reduce((a, b) => a + b) / means.length;
  return {
    ...{ name: 'fused', key, runtime: key, settings: '', threads, load: 40, compile: 60.4, coldStart: 100.4 },
    ...{ firstRun: 21, mean, minimum: mean, median: mean, interval: [mean, mean], runs: 8, roundMeans: means },
    ...{ protocol: 'p', noise: [] },
  };
};

test('the fastest comes first, with what it means; others by how much longer they take, or that it can not be told', () => {
  const said = findings(
    [
      measured('ort-webgpu', 1, [30, 31, 29]),
      measured('wasm', 4, [10, 10.2, 9.8]),
      measured('litert', 4, [10, 10.6, 9.6]),
    ],
    [
      {
        ...{ name: 'fused', key: 'wasm', runtime: '', settings: '', threads: 4, seconds: 300, windowSeconds: 60 },
        windows: [
          { from: 0, to: 60, runs: 1, mean: 10, median: 10, minimum: 10 },
          { from: 240, to: 300, runs: 1, mean: 13, median: 13, minimum: 10 },
        ],
      },
    ],
  );
  expect(said).toEqual([
    'Fastest: mobileone, WebAssembly SIMD, 4 threads, 10 ms a run (100 a second): fast enough for live video at 60 frames a second.',
    'Opening it takes 100 ms and the first run 21 ms, once.',
    'LiteRT.js, WebAssembly (XNNPACK), 4 threads is as fast, within what can be told apart (10.1 ms).',
    'ONNX Runtime, WebGPU takes 3 times as long (30 ms).',
    'mobileone, WebAssembly SIMD, 4 threads, 5 minutes without a pause: It ends 30 % slower than it began: plan for the slower figure, phones get warm.',
  ]);
  expect(findings([])).toEqual([]);
});

test('numbers and spans are short', () => {
  expect([briefly(0.012345), briefly(12.345), briefly(123456)]).toEqual(['0.0123', '12.3', '123,456']);
  expect([spanText(45), spanText(150)]).toEqual(['45 seconds', '2.5 minutes']);
  expect(titleOf({ key: 'unknown', threads: 1 })).toBe('unknown, 1 thread');
  const meanings = [10, 30, 90, 900, 9000].map(meaningOf);
  expect(new Set(meanings).size).toBe(5);
});

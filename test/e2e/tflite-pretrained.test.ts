/**
 * Apple's released S0 as TFLite files, run by LiteRT.js on real photos against probabilities made with ONNX Runtime. Needs
 * the weights and photos in ../shared; skipped, saying so, without them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadModel } from '../../src/checkpoint/store-node.ts';
import { openTflite } from '../../src/engine/litert-node.ts';
import { softmax, topK } from '../../src/evaluate/metrics.ts';
import { TFLITE } from '../../src/export/tflite/format-node.ts';
import { evalImage } from '../../src/images/decode-node.ts';

const WEIGHTS = '../shared/weights/mobileone_s0_fused_apple_in1k.safetensors';
const SIZE = 224;

interface Golden {
  readonly logits_first_10: readonly number[];
  readonly images: { readonly results: readonly { file: string; top5: readonly [number, number][] }[] };
}

test.skipIf(!existsSync(WEIGHTS)).each([
  ['fp32', { logits: 1e-3, probability: 1e-4, bytes: 8.4e6 }],
  ['fp16', { logits: 0.06, probability: 0.02, bytes: 4.3e6 }],
] as const)(
  'the released weights in %s give the known answers (skipped without ../shared)',
  async (precision, bounds) => {
    const model = await loadModel(WEIGHTS);
    const golden = JSON.parse(readFileSync(WEIGHTS.replace('.safetensors', '.golden.json'), 'utf8')) as Golden;

    const outside = await TFLITE.encode(model, { precision, preprocessing: false });
    const session = await openTflite(outside.files.get(outside.main)!);
    const input = Float32Array.from({ length: SIZE * SIZE * 3 }, (_, i) => {
      const [h, w, c] = [Math.floor(i / (3 * SIZE)), Math.floor(i / 3) % SIZE, i % 3];
      return Math.sin(0.013 * h + 0.017 * w + c);
    });
    const { logits } = await session.run({ input: { shape: [1, SIZE, SIZE, 3], data: input } });
    session.dispose();
    golden.logits_first_10.forEach((value, i) => {
      expect(Math.abs(logits!.data[i]! - value)).toBeLessThan(bounds.logits);
    });

    const { files, main } = await TFLITE.encode(model, { precision });
    expect(files.get(main)!.length).toBeLessThan(bounds.bytes);
    const runner = await TFLITE.open!(files, main);
    for (const { file, top5 } of golden.images.results) {
      const data = await evalImage(`../shared/${file}`, model.preprocessing);
      const probabilities = softmax((await runner.logits({ shape: [1, SIZE, SIZE, 3], data })).data);
      expect(topK(probabilities, 1)[0], file).toBe(top5[0]![0]);
      for (const [label, probability] of top5)
        expect(Math.abs(probabilities[label]! - probability)).toBeLessThan(bounds.probability);
    }
    await runner.dispose();
  },
);

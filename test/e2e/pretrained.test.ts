/**
 * Apple's released S0 (fused) on real photos: decoding, preprocessing, recognition of the file and the wasm engine against
 * probabilities made with ONNX Runtime. Needs the weights and photos in ../shared; skipped, saying so, without them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadModel } from '../../src/checkpoint/store-node.ts';
import { load } from '../../src/embed/load-node.ts';
import { loadState } from '../../src/engine/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { softmax, topK } from '../../src/evaluate/metrics.ts';
import { evalImage } from '../../src/images/decode-node.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';

const WEIGHTS = '../shared/weights/mobileone_s0_fused_apple_in1k.safetensors';

interface Golden {
  readonly logits_first_10: readonly number[];
  readonly images: { readonly results: readonly { file: string; top5: readonly [number, number][] }[] };
}

test.skipIf(!existsSync(WEIGHTS))(
  'the released weights give the known answers (skipped without ../shared)',
  async () => {
    const model = await loadModel(WEIGHTS);
    const golden = JSON.parse(readFileSync(WEIGHTS.replace('.safetensors', '.golden.json'), 'utf8')) as Golden;
    const engine = await nodeWasmEngine();
    const dims = { N: 1, H: 224, W: 224 };

    const plain = await engine.compile(model.graph, { dims });
    loadState(plain, model.state);
    const input = new Float32Array(3 * 224 * 224);
    input.forEach((_, i) => {
      const [c, h, w] = [Math.floor(i / (224 * 224)), Math.floor(i / 224) % 224, i % 224];
      input[i] = Math.sin(0.013 * h + 0.017 * w + c);
    });
    const { logits } = await plain.run({ input: { shape: [1, 3, 224, 224], data: input } });
    golden.logits_first_10.forEach((value, i) => {
      expect(logits!.data[i]).toBeCloseTo(value, 3);
    });
    await plain.dispose();

    const program = await engine.compile(withPreprocess(model.graph, model.preprocessing), { dims });
    loadState(program, model.state);
    for (const { file, top5 } of golden.images.results) {
      const data = await evalImage(`../shared/${file}`, model.preprocessing);
      const answer = await program.run({ image: { shape: [1, 224, 224, 3], data } });
      const probabilities = softmax(answer.logits!.data);
      expect(topK(probabilities, 1)[0]).toBe(top5[0]![0]);
      for (const [label, probability] of top5) expect(Math.abs(probabilities[label]! - probability)).toBeLessThan(1e-4);
    }
    await program.dispose();
  },
);

const PHOTOS = '../shared/data/clothing/test';

test.skipIf(!existsSync(WEIGHTS) || !existsSync(PHOTOS))(
  'of embeddings, the nearest is most often of the same class, which the network never learned (skipped without ../shared)',
  async () => {
    const model = await load(WEIGHTS);
    const photos = readdirSync(PHOTOS).flatMap((label) =>
      readdirSync(`${PHOTOS}/${label}`)
        .sort()
        .slice(0, 6)
        .map((name) => ({ label, path: `${PHOTOS}/${label}/${name}` })),
    );
    const vectors = (await model.embed(photos.map(({ path }) => path))).map((vector) => {
      const length = Math.hypot(...vector);
      return vector.map((value) => value / length);
    });
    const right = vectors.filter((vector, i) => {
      const similar = vectors.map((other, j) => (i === j ? -1 : vector.reduce((sum, x, k) => sum + x * other[k]!, 0)));
      return photos[similar.indexOf(Math.max(...similar))]!.label === photos[i]!.label;
    });
    const classes = new Set(photos.map(({ label }) => label)).size;
    expect(classes).toBe(10);
    expect(right.length / photos.length).toBeGreaterThan(0.5);
    await model.dispose();
  },
);

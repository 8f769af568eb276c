import { openTflite } from '../../src/engine/litert-node.ts';
import { toTflite } from '../../src/engine/tflite/to-tflite.ts';
import type { BenchSubject } from '../subject.ts';
import type { Opened } from './peers.ts';

/** LiteRT.js (XNNPACK) on the fused graph as a TFLite file; the image is NHWC. */
export async function openLiteRt({ graph, state, feeds, dims }: BenchSubject): Promise<Opened> {
  const session = await openTflite(await toTflite(graph, state, { dims }));
  const { shape, data } = feeds.input!;
  const [n, c, h, w] = shape as [number, number, number, number];
  const image = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const [at, pixel] = [Math.floor(i / (h * w)), i % (h * w)];
    image[(Math.floor(at / c) * h * w + pixel) * c + (at % c)] = data[i]!;
  }
  const input = { shape: [n, h, w, c], data: image };
  return {
    runtime: session.description,
    run: async () => (await session.run({ input })).logits?.data,
  };
}

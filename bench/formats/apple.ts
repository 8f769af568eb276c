/** Apple's published answers: photos with probabilities, and logits of an input given by a formula. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Tensor } from '../../src/core/tensor.ts';
import { softmax, topK } from '../../src/evaluate/metrics.ts';
import type { ExportOptions, Format, Precision } from '../../src/export/format.ts';
import { evalImage } from '../../src/images/decode-node.ts';
import { asPlanes } from '../../src/images/planes.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { formRunner } from '../../src/reparam/prove.ts';
import { APPLE, type FormatSubject } from './subjects.ts';

interface GoldenFile {
  readonly logits_first_10: readonly number[];
  readonly images: { readonly results: readonly { file: string; top5: readonly [number, number][] }[] };
}

export interface AppleRow {
  readonly what: string;
  readonly photos: number;
  /** Photos whose first class is Apple's. */
  readonly sameClass: number;
  /** Largest difference of a probability among the best five. */
  readonly probability: number;
  /** Largest difference of the first ten logits of the formula; null where it was not asked. */
  readonly formula: number | null;
  readonly formulaBound: number;
  readonly passed: boolean;
}

const PROBABILITY_BOUND = 0.02;
/** Of logits of about 5; half precision is held to the bound of its format, 1e-2 of the largest logit. */
const FORMULA_BOUNDS: Readonly<Record<Precision, (largest: number) => number>> = {
  fp32: () => 1e-3,
  fp16: (largest) => 1e-2 * largest,
};
/** The largest logit of the formula's input. */
const LARGEST = 6.6;

/** Logits of images `[N, S, S, 3]` of 0 … 255, and of the same with fractions, where the preprocessing is outside. */
interface Asked {
  bytes(images: Tensor): Promise<Tensor>;
  readonly fractions?: (images: Tensor) => Promise<Tensor>;
}

/** Formats whose preprocessing may be outside; the others take bytes only and are not asked the formula. */
const TAKES_FRACTIONS: ReadonlySet<string> = new Set(['onnx', 'tflite', 'coreml']);

/** Asks the engine and every format; `folder` holds the weights and, beside it, the photos. */
export async function* appleRows(
  folder: string,
  subject: FormatSubject,
  formats: readonly Format[],
): AsyncGenerator<AppleRow> {
  const golden = JSON.parse(await readFile(join(folder, `${APPLE}.golden.json`), 'utf8')) as GoldenFile;
  const { model, engine } = subject;
  const photos = await Promise.all(
    golden.images.results.map(({ file }) => evalImage(join(dirname(folder), file), model.preprocessing)),
  );
  const { size } = model.preprocessing;
  const row = async (what: string, precision: Precision, asked: Asked): Promise<AppleRow> => {
    let [sameClass, probability] = [0, 0];
    for (const [i, { top5 }] of golden.images.results.entries()) {
      const { data } = await asked.bytes({ shape: [1, size, size, 3], data: photos[i]! });
      const found = softmax(data);
      if (topK(found, 1)[0] === top5[0]![0]) sameClass++;
      for (const [label, value] of top5) probability = Math.max(probability, Math.abs(found[label]! - value));
    }
    const answer = await asked.fractions?.(formulaImage(size, model.preprocessing));
    const formula = answer
      ? Math.max(...golden.logits_first_10.map((value, i) => Math.abs(value - answer.data[i]!)))
      : null;
    const formulaBound = FORMULA_BOUNDS[precision](LARGEST);
    const passed =
      sameClass === photos.length && probability <= PROBABILITY_BOUND && (formula === null || formula <= formulaBound);
    return { what, photos: photos.length, sameClass, probability, formula, formulaBound, passed };
  };

  const inside = formRunner(engine, { ...model, graph: withPreprocess(model.graph, model.preprocessing) });
  const plain = formRunner(engine, model);
  yield await row(engine.name, 'fp32', {
    bytes: (images) => inside.logits(images),
    fractions: (images) => plain.logits(asPlanes(images, model.preprocessing)),
  });
  await inside.dispose();
  await plain.dispose();

  for (const format of formats) {
    if (!format.open) continue;
    for (const precision of format.precisions) {
      const open = async (options: ExportOptions) => {
        const { files, main } = await format.encode(model, { precision, ...options });
        return await format.open!(files, main);
      };
      const bytes = await open({});
      const fractions = TAKES_FRACTIONS.has(format.name) ? await open({ preprocessing: false }) : undefined;
      yield await row(`${format.title} ${precision}, ${bytes.description}`, precision, {
        bytes: (images) => bytes.logits(images),
        ...(fractions && { fractions: (images: Tensor) => fractions.logits(images) }),
      });
      await bytes.dispose();
      await fractions?.dispose();
    }
  }
}

/** The image `[1, S, S, 3]` with fractions that normalizes to sin(0.013 h + 0.017 w + c). */
function formulaImage(size: number, { mean, std }: { mean: readonly number[]; std: readonly number[] }): Tensor {
  const data = Float32Array.from({ length: size * size * 3 }, (_, i) => {
    const [c, w, h] = [i % 3, Math.floor(i / 3) % size, Math.floor(i / (3 * size))];
    return 255 * (Math.sin(0.013 * h + 0.017 * w + c) * std[c]! + mean[c]!);
  });
  return { shape: [1, size, size, 3], data };
}

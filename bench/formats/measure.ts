/** How far what a format computes lies from what the model computes. */
import type { Tensor } from '../../src/core/tensor.ts';
import { argmax } from '../../src/evaluate/metrics.ts';
import { FORMAT_BOUNDS, type Format, type Precision } from '../../src/export/format.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { compareLogits, formRunner, type Gap, summarize } from '../../src/reparam/prove.ts';
import type { FormatSubject } from './subjects.ts';

export interface FormatRow {
  readonly subject: string;
  /** Title of the format. */
  readonly format: string;
  readonly precision: Precision;
  /** What ran the files; without a runtime here, how they were checked. */
  readonly runtime: string;
  readonly images: number;
  /** Different first classes among the images, by the reference. */
  readonly classesSeen: number;
  /** Largest logit difference relative to the largest logit; null where nothing ran. */
  readonly difference: number | null;
  /** Percent; null where nothing ran. */
  readonly top1Agreement: number | null;
  readonly bound: number;
  /** Bytes of all files. */
  readonly bytes: number;
  readonly passed: boolean;
  /** What the files were held to. */
  readonly reference: string;
}

/** Runtimes of formats that have several; others run in their default. */
const RUNTIMES: Readonly<Record<string, readonly string[]>> = { onnx: ['node', 'web'] };

/** What the reference answers, computed once for a subject. */
export interface Answers {
  readonly logits: readonly Tensor[];
  readonly classesSeen: number;
  readonly reference: string;
}

/** Runs the fused model on the subject's own engine. */
export async function answersOf({ model, batches, engine }: FormatSubject): Promise<Answers> {
  const { graph, state } = fuse(model.graph, model.state);
  const runner = formRunner(engine, { graph: withPreprocess(graph, model.preprocessing), state });
  const logits: Tensor[] = [];
  for (const batch of batches) logits.push(await runner.logits(batch));
  await runner.dispose();
  const seen = new Set(logits.flatMap(({ shape, data }) => firstClasses(data, shape[1]!)));
  return {
    logits,
    classesSeen: seen.size,
    reference: engine.name === 'reference' ? 'float64 reference' : 'wasm, fp32',
  };
}

const firstClasses = (data: Tensor['data'], classes: number): number[] =>
  Array.from({ length: data.length / classes }, (_, n) => argmax(data.subarray(n * classes, (n + 1) * classes)));

/** Exports a subject in every precision of a format and compares every image's logits in every runtime. */
export async function* formatRows(
  format: Format,
  subject: FormatSubject,
  { logits, classesSeen, reference }: Answers,
  threads: number,
): AsyncGenerator<FormatRow> {
  for (const precision of format.precisions) {
    const { files, main } = await format.encode(subject.model, { precision });
    const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    const common = { subject: subject.name, format: format.title, precision, classesSeen, bytes, reference };
    const bound = FORMAT_BOUNDS[precision];
    if (!format.open) {
      const runtime = 'no runtime here; its tests read the files back';
      yield { ...common, runtime, images: 0, difference: null, top1Agreement: null, bound, passed: true };
      continue;
    }
    for (const runtime of RUNTIMES[format.name] ?? [undefined]) {
      const runner = await format.open(files, main, { threads, ...(runtime ? { runtime } : {}) });
      const gaps: Gap[] = [];
      for (const [i, batch] of subject.batches.entries())
        gaps.push(...compareLogits(logits[i]!, await runner.logits(batch), batch.shape[0]!));
      await runner.dispose();
      const { images, relativeDifference, top1Agreement } = summarize(gaps, bound, '');
      const passed = images > 0 && relativeDifference <= bound && (precision !== 'fp32' || top1Agreement === 100);
      const found = { images, difference: relativeDifference, top1Agreement };
      yield { ...common, runtime: runner.description, ...found, bound, passed };
    }
  }
}

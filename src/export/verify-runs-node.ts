/** The files of a bundle in their runtimes, against what its golden images must give, and against each other. */
import type { Tensor } from '../core/tensor.ts';
import { compareLogits, type Gap, type ProofBatch, summarize } from '../reparam/prove.ts';
import type { CardExport } from './card.ts';
import { noRuntime } from './check-files.ts';
import { FORMAT_BOUNDS, isMissingRuntime, type Runner } from './format.ts';
import { FORMATS } from './formats-node.ts';
import type { Golden } from './golden.ts';
import { describeProof } from './print-card.ts';
import type { Finding } from './verify-bytes-node.ts';

/** A file that runs, and how exact it is. */
export interface Running {
  readonly one: CardExport;
  readonly runner: Runner;
}

export interface GoldenRun {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly images: readonly Tensor[];
  readonly golden: Golden;
  readonly threads: number | undefined;
  /** Where a file that runs is put. */
  readonly running: Running[];
}

/** Opens one format's files in their runtime and compares their logits with those that the golden images must give. */
export async function runGolden(
  one: CardExport,
  { files, images, golden, threads, running }: GoldenRun,
): Promise<Finding> {
  const finding = { path: one.main, check: 'run' } as const;
  const format = FORMATS.find(({ name }) => name === one.format);
  const unchecked = (text: string): Finding => ({ ...finding, verdict: 'not checked', text });
  if (!format) return unchecked(`this version of mobileone does not know the format ${one.format.slice(0, 40)}`);
  if (!format.open) return unchecked(noRuntime(format));
  try {
    const own = new Map(one.files.map((path) => [path, files.get(path)!]));
    const runner = await format.open(own, one.main, threads === undefined ? {} : { threads });
    running.push({ one, runner });
    const gaps: Gap[] = [];
    for (const [i, image] of images.entries()) {
      const { logits } = golden.images[i]!;
      const expected = { shape: [1, logits.length], data: Float32Array.from(logits) };
      gaps.push(...compareLogits(expected, await runner.logits(image), 1));
    }
    const generated = golden.source === 'generated' ? ({ generated: true } as const) : {};
    const proof = {
      ...summarize(
        gaps,
        FORMAT_BOUNDS[one.precision],
        `${runner.description} against ${String(golden.engine).slice(0, 200)}`,
      ),
      ...generated,
    };
    return { ...finding, verdict: proof.passed ? 'ok' : 'failed', text: describeProof(proof), proof };
  } catch (error) {
    if (isMissingRuntime(error)) return unchecked(`${error.message} ${error.hint}`);
    // A runtime may say anything of a file that it can't run.
    return { ...finding, verdict: 'failed', text: (error as Error).message.split('\n')[0]! };
  }
}

/** Compares the files that run with the most exact of them, on more images. */
export async function runMore(
  running: readonly Running[],
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
): Promise<Finding[]> {
  const [first, ...others] = running.toSorted(
    (a, b) => FORMAT_BOUNDS[a.one.precision] - FORMAT_BOUNDS[b.one.precision],
  );
  if (!first) return [];
  const gaps = others.map((): Gap[] => []);
  let count = 0;
  let finite = true;
  for await (const batch of batches) {
    const { images, count: real } = 'images' in batch ? batch : { images: batch, count: batch.shape[0]! };
    const expected = await first.runner.logits(images);
    finite &&= expected.data.every(Number.isFinite);
    count += real;
    for (const [i, { runner }] of others.entries())
      gaps[i]!.push(...compareLogits(expected, await runner.logits(images), real));
  }
  const check = 'more images' as const;
  const ran: Finding = {
    ...{ path: first.one.main, check, verdict: finite ? 'ok' : 'failed' },
    text: finite
      ? `runs on ${count} more images${others.length > 0 ? '; the others are compared with it' : '; there is no other file to compare it with'}`
      : `gives logits that are no numbers on ${count} more images`,
  };
  const compared = others.map(({ one, runner }, i): Finding => {
    const bound = FORMAT_BOUNDS[one.precision] + FORMAT_BOUNDS[first.one.precision];
    const proof = summarize(
      gaps[i]!,
      bound,
      `${runner.description} against ${first.one.main} in ${first.runner.description}`,
    );
    return { path: one.main, check, verdict: proof.passed ? 'ok' : 'failed', text: describeProof(proof), proof };
  });
  return [ran, ...compared];
}

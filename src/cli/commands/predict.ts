import pc from 'picocolors';
import { readAs } from '../../batches/cache-node.ts';
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { sampleName } from '../../data/dataset.ts';
import { compileClassifier } from '../../embed/compile.ts';
import { topK } from '../../evaluate/metrics.ts';
import { probabilitiesOf } from '../../evaluate/multi-label.ts';
import { EXIT } from '../exit.ts';
import { imagesOf } from '../image-files.ts';
import type { Io } from '../io.ts';
import { openEngine, wholeNumber } from '../open-engine.ts';
import { openModel } from '../open-model.ts';

export interface PredictFlags {
  readonly top: string;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/**
 * `mobileone predict`: the likeliest classes of each image, or, of a model for several labels, those above 50 % and the
 * next. An image that can't be read is told; the code is then 1.
 */
export async function predictCommand(
  io: Io,
  target: string,
  paths: readonly string[],
  flags: PredictFlags,
): Promise<number> {
  const top = wholeNumber('--top', flags.top);
  const { model, run } = await openModel(target);
  const images = await imagesOf(paths);
  const engine = await openEngine({ ...flags, name: flags.engine ?? run?.recipe.engine });
  const program = await compileClassifier(engine, model, 1);
  let failed = false;
  try {
    for (const place of images) {
      const path = sampleName(place);
      try {
        const { size, mean } = model.preprocessing;
        const { data } = await readAs(place, { ...model.preprocessing, channels: mean.length });
        const image: Tensor = { shape: [1, size, size, mean.length], data };
        const { logits } = await program.run({ image });
        const probabilities = probabilitiesOf(logits!.data, model.multiLabel === true);
        // Where images may have several labels, every one that is there is told.
        const shown = Math.max(top, model.multiLabel ? probabilities.filter((value) => value > 0.5).length : 0);
        const best = topK(probabilities, shown).map((i) => ({
          class: model.classes[i]!,
          probability: probabilities[i]!,
        }));
        const names = best.filter(({ probability }) => probability > 0.5).map((one) => one.class);
        if (flags.json)
          io.out(JSON.stringify({ path, ...(model.multiLabel ? { labels: names } : {}), predictions: best }));
        else io.out(`${path}: ${model.multiLabel ? severalText(best, names) : likeliest(best)}`);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        failed = true;
        if (flags.json) io.out(JSON.stringify({ path, error: error.message }));
        else io.err(`${pc.red('error:')} ${error.message}`);
      }
    }
    return failed ? EXIT.input : EXIT.ok;
  } finally {
    await program.dispose();
  }
}

interface Answer {
  readonly class: string;
  readonly probability: number;
}

const likeliest = (answers: readonly Answer[]): string =>
  answers.map((one) => `${one.class} ${(100 * one.probability).toFixed(1)} %`).join(', ');

/** What is there, and what might be: the classes above 50 %, and the next ones. */
function severalText(best: readonly Answer[], labels: readonly string[]): string {
  const [there, others] = [best.filter((one) => labels.includes(one.class)), best.slice(labels.length)];
  const rest = others.length > 0 ? `; less likely ${likeliest(others)}` : '';
  return `${there.length > 0 ? likeliest(there) : 'none above 50 %'}${rest}`;
}

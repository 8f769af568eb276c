import pc from 'picocolors';
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { softmax, topK } from '../../evaluate/metrics.ts';
import { compileClassifier } from '../classifier.ts';
import { EXIT } from '../exit.ts';
import { imageFiles } from '../image-files.ts';
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

/** `mobileone predict`: the likeliest classes of each image. An image that can't be read is told; the code is then 1. */
export async function predictCommand(
  io: Io,
  target: string,
  paths: readonly string[],
  flags: PredictFlags,
): Promise<number> {
  const top = wholeNumber('--top', flags.top);
  const { model, run } = await openModel(target);
  const files = await imageFiles(paths);
  const { evalImage } = await import('../../images/decode-node.ts');
  const engine = await openEngine({ ...flags, name: flags.engine ?? run?.recipe.engine });
  const program = await compileClassifier(engine, model, 1);
  let failed = false;
  try {
    for (const path of files) {
      try {
        const { size, mean } = model.preprocessing;
        const data = await evalImage(path, model.preprocessing);
        const image: Tensor = { shape: [1, size, size, mean.length], data };
        const { logits } = await program.run({ image });
        const probabilities = softmax(logits!.data);
        const best = topK(probabilities, top).map((i) => ({
          class: model.classes[i]!,
          probability: probabilities[i]!,
        }));
        if (flags.json) io.out(JSON.stringify({ path, predictions: best }));
        else io.out(`${path}: ${best.map((b) => `${b.class} ${(100 * b.probability).toFixed(1)} %`).join(', ')}`);
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

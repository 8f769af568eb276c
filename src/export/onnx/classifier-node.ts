/** An ONNX file that `mobileone export` wrote, as a classifier of uint8 images: it knows its classes and its preprocessing. */
import { type FileClassifier, readNamedFile } from '../file-classifier-node.ts';
import type { RunnerOptions } from '../format.ts';
import { openOnnxRunner } from './runner-node.ts';

/** Opens an exported file in ONNX Runtime. Throws a UserError for a file without mobileone's description. */
export async function openOnnxClassifier(path: string, options: RunnerOptions = {}): Promise<FileClassifier> {
  const bytes = await readNamedFile(path);
  const runner = await openOnnxRunner(bytes, path, options);
  const { classes, multiLabel, preprocessing } = runner.about;
  return {
    classes,
    ...(multiLabel ? { multiLabel } : {}),
    preprocessing,
    description: runner.description,
    run: async ({ image }) => ({ logits: await runner.logits(image!) }),
    dispose: () => runner.dispose(),
  };
}

/** A TFLite file that mobileone wrote, as a classifier of uint8 images: it knows its classes and its preprocessing. */
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { openTflite, type TfliteSession } from '../../engine/litert-node.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import { type FileClassifier, readNamedFile } from '../file-classifier-node.ts';
import { describeTflite } from './describe.ts';

/** Opens an exported file in LiteRT.js. Throws a UserError for a damaged file, or one without mobileone's description. */
export async function openTfliteClassifier(path: string): Promise<FileClassifier> {
  const bytes = await readNamedFile(path);
  try {
    const { classes, multiLabel, preprocessing, normalizes } = describeTflite(bytes);
    const session = await openTflite(bytes);
    return {
      classes,
      ...(multiLabel ? { multiLabel } : {}),
      preprocessing,
      description: session.description,
      run: async ({ image }) => ({
        logits: await runTflite(session, image!, normalizes ? undefined : preprocessing),
      }),
      dispose: async () => session.dispose(),
    };
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${path}: ${error.message}`, error.hint);
    throw error;
  }
}

/**
 * Logits `[N, classes]` of a file for uint8 images `[N, H, W, C]`, one image at a time; `normalization` is done here where the
 * file leaves it out.
 */
export async function runTflite(
  session: TfliteSession,
  images: Tensor,
  normalization: Pick<Preprocessing, 'mean' | 'std'> | undefined,
): Promise<Tensor> {
  const [n, ...image] = images.shape as [number, number, number, number];
  const step = images.data.length / n;
  const rows: Float32Array[] = [];
  for (let i = 0; i < n; i++) {
    const bytes = images.data.subarray(i * step, (i + 1) * step) as Uint8Array;
    const data = normalization ? normalize(bytes, normalization) : bytes;
    const { logits } = await session.run({ [normalization ? 'input' : 'image']: { shape: [1, ...image], data } });
    if (!logits) throw new UserError('The file has no output "logits".', 'Check that it is the exported model.');
    rows.push(logits.data as Float32Array);
  }
  const classes = rows[0]!.length;
  const data = new Float32Array(n * classes);
  rows.forEach((row, i) => {
    data.set(row, i * classes);
  });
  return { shape: [n, classes], data };
}

/** (value / 255 − mean) / std of interleaved pixels. */
function normalize(bytes: Uint8Array, { mean, std }: Pick<Preprocessing, 'mean' | 'std'>): Float32Array {
  return Float32Array.from(bytes, (value, i) => {
    const c = i % mean.length;
    return (value / 255 - mean[c]!) / std[c]!;
  });
}

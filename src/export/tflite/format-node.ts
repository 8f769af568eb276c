/** TFLite as an export format: files for LiteRT (Android, browsers, Python), checked by LiteRT.js. */
import { UserError } from '../../core/errors.ts';
import { openTflite } from '../../engine/litert-node.ts';
import type { Format } from '../format.ts';
import { runTflite } from './classifier-node.ts';
import { describeTflite } from './describe.ts';
import { exportTflite } from './write.ts';

/** What `runtime` may name. */
const RUNTIME = 'litert';

export const TFLITE: Format = {
  name: 'tflite',
  title: 'TensorFlow Lite',
  precisions: ['fp32', 'fp16'],
  encode: exportTflite,
  async open(files, main, { runtime = RUNTIME } = {}) {
    if (runtime !== RUNTIME)
      throw new UserError(`TFLite files are not run by "${runtime}".`, `Leave the runtime out, or choose ${RUNTIME}.`);
    const bytes = files.get(main);
    if (!bytes) throw new UserError(`There is no ${main} among the files.`, 'Export again.');
    const { normalizes, preprocessing } = describeTflite(bytes);
    const session = await openTflite(bytes);
    return {
      description: session.description,
      logits: (images) => runTflite(session, images, normalizes ? undefined : preprocessing),
      dispose: async () => session.dispose(),
    };
  },
};

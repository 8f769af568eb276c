/** An exported ONNX file, opened in ONNX Runtime: bytes of images in, logits out. */
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { type OrtRuntime, openOnnx } from '../../engine/onnx/session-node.ts';
import { asPlanes } from '../../images/planes.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import type { ExportOptions, Runner, RunnerOptions } from '../format.ts';
import { type DescribedFile, describeOnnx } from './describe.ts';

/** The runtimes that open ONNX files, the default first. */
export const ONNX_RUNTIMES: readonly OrtRuntime[] = ['node', 'web'];

export interface OnnxRunner extends Runner {
  readonly about: DescribedFile;
}

/**
 * Opens a file that `mobileone export` wrote, in onnxruntime-node (`node`, default) or onnxruntime-web (`web`); `name` is
 * what messages call it. Throws a UserError for other files, and when the runtime is not installed.
 */
export async function openOnnxRunner(
  bytes: Uint8Array,
  name: string,
  { runtime = 'node', threads = 1 }: RunnerOptions = {},
): Promise<OnnxRunner> {
  const known = ONNX_RUNTIMES.find((one) => one === runtime);
  if (!known)
    throw new UserError(`ONNX files don't run in "${runtime}".`, `Choose one of ${ONNX_RUNTIMES.join(', ')}.`, 2);
  const about = await describeOnnx(bytes, name);
  const session = await openOnnx(bytes, { runtime: known, threads });
  return {
    description: session.description,
    about,
    async logits(images) {
      checkImages(images, about);
      const [n, h, w, c] = images.shape as [number, number, number, number];
      const perRun = about.options.dynamicBatch ? n : 1;
      const parts: Tensor[] = [];
      for (let from = 0; from < n; from += perRun) {
        const data = images.data.subarray(from * h * w * c, (from + perRun) * h * w * c);
        const feed = asInput({ shape: [perRun, h, w, c], data }, about);
        const { logits } = await session.run({ [session.inputs[0]!]: feed });
        if (!logits) throw new UserError(`${name} has no output "logits".`, 'Check that it is the exported model.');
        parts.push(logits);
      }
      const classes = parts[0]!.shape[1]!;
      return { shape: [n, classes], data: Float32Array.from(parts.flatMap(({ data }) => [...data])) };
    },
    dispose: () => session.dispose(),
  };
}

function checkImages({ shape }: Tensor, { options, preprocessing }: DescribedFile): void {
  const [, h, w, c] = shape;
  const { size, dynamicSize } = options;
  const channels = preprocessing.mean.length;
  if (c === channels && (dynamicSize || (h === size && w === size))) return;
  throw new UserError(
    `The images are ${h} × ${w} with ${c} channels; the file takes ${dynamicSize ? 'any size' : `${size} × ${size}`} with ${channels}.`,
    'Prepare the images as the file says, or export it for their size.',
  );
}

/** Images `[N, H, W, C]` of 0 … 255 as a file takes them: bytes of either layout, or normalized planes. */
export function asInput(
  images: Tensor,
  {
    options,
    preprocessing,
  }: { options: Pick<ExportOptions, 'layout' | 'preprocessing'>; preprocessing: Preprocessing },
): Tensor {
  if (options.preprocessing && options.layout === 'nhwc') return images;
  return asPlanes(images, options.preprocessing ? undefined : preprocessing);
}

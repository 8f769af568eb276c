/** What can teach: our own models, on the run's engine, and any ONNX classifier, in ONNX Runtime. */
import { type ModelFile, modelGraph } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import type { Shape, Tensor } from '../core/tensor.ts';
import { type Engine, loadState } from '../engine/engine.ts';
import { type OnnxValue, openOnnx } from '../engine/onnx/session-node.ts';
import { DEFAULT_PREPROCESSING } from '../images/preprocess.ts';
import { withPreprocess } from '../models/preprocess.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { fuse } from '../reparam/fuse.ts';
import type { TeacherModel } from './teacher.ts';

/** A model of ours as a teacher of batches of one size. */
export async function ownTeacher(
  engine: Engine,
  model: ModelFile,
  name: string,
  { batch, size }: { readonly batch: number; readonly size: number },
): Promise<TeacherModel> {
  const { graph, state } = fuse(modelGraph(model.config, model.form), model.state);
  const program = await engine.compile(withPreprocess(graph, model.preprocessing), {
    dims: { N: batch, H: size, W: size },
  });
  loadState(program, state);
  return {
    description: `${name}, fused, at ${size} px, normalized as it was trained`,
    classes: model.classes,
    size,
    run: async (images) => (await program.run({ image: images })).logits!,
    dispose: () => program.dispose(),
  };
}

type Normalization = NonNullable<Recipe['teacher_preprocess']>;

const { mean, std } = DEFAULT_PREPROCESSING;

/** Byte x of channel c → what the network takes. */
const NORMALIZE: Readonly<Record<Normalization, (x: number, c: number) => number>> = {
  imagenet: (x, c) => (x / 255 - mean[c]!) / std[c]!,
  inception: (x) => x / 127.5 - 1,
  unit: (x) => x / 255,
  bytes: (x) => x,
};

export interface OnnxTeacherOptions {
  /** Images of a batch, and their side. */
  readonly batch: number;
  readonly size: number;
  /** The recipe's `teacher_size` and `teacher_preprocess`. */
  readonly teacherSize: number | null;
  readonly preprocess: Normalization | null;
  readonly classes: number;
  readonly threads: number;
}

/** Any ONNX classifier of RGB images as a teacher. Throws a UserError for what takes or gives something else. */
export async function onnxTeacher(path: string, options: OnnxTeacherOptions): Promise<TeacherModel> {
  const session = await openOnnx(path, { threads: options.threads });
  try {
    const input = session.inputTypes[0];
    if (session.inputs.length !== 1 || !input)
      throw wrong(path, `it has ${session.inputs.length} inputs instead of one`);
    const { layout, fixed } = imageInput(path, input);
    const size = options.teacherSize ?? fixed ?? options.size;
    if (fixed !== undefined && fixed !== size)
      throw new UserError(`${path} takes images of ${fixed} px, not ${size}.`, 'Leave teacher_size at auto.');
    const fits = ({ shape }: OnnxValue): boolean =>
      shape.length === 2 && (typeof shape[1] !== 'number' || shape[1] === options.classes);
    if (!session.outputTypes.some(fits)) throw otherClasses(path, session.outputTypes, options.classes);
    const inside = input.dtype === 'uint8';
    if (inside && options.preprocess !== null)
      throw new UserError(`${path} takes bytes and normalizes them itself.`, 'Leave teacher_preprocess at auto.');
    const way = options.preprocess ?? 'imagenet';
    const feed = (images: Tensor): Tensor => (inside ? asLayout(images, layout) : normalized(images, layout, way));
    const batch = typeof input.shape[0] === 'number' ? input.shape[0] : options.batch;
    const run = async (images: Tensor): Promise<Tensor> => {
      const results = await session.run({ [input.name]: feed(images) });
      return classifierOutput(path, results, options.classes);
    };
    return {
      description: `${path} in ${session.description}, at ${size} px, ${inside ? 'with its own preprocessing' : `preprocessing ${way}`}`,
      classes: undefined,
      size,
      run: (images) => inParts(images, batch, run),
      dispose: () => session.dispose(),
    };
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

function wrong(path: string, why: string): UserError {
  return new UserError(
    `${path} can't teach: ${why}.`,
    'A teacher takes one batch of RGB images and gives logits a class.',
  );
}

type Layout = 'nchw' | 'nhwc';

function imageInput(path: string, { dtype, shape }: OnnxValue): { layout: Layout; fixed: number | undefined } {
  if (dtype !== 'float32' && dtype !== 'uint8') throw wrong(path, `its input is ${dtype}, not float32 or uint8`);
  const layout = shape[1] === 3 ? 'nchw' : shape[3] === 3 ? 'nhwc' : undefined;
  if (shape.length !== 4 || !layout)
    throw wrong(path, `its input is [${shape.join(', ')}], not images of three channels`);
  const [height, width] = layout === 'nchw' ? shape.slice(2) : shape.slice(1, 3);
  if (typeof height === 'number' && height !== width)
    throw wrong(path, `its images are ${height} × ${width}, not square`);
  return { layout, fixed: typeof height === 'number' ? height : undefined };
}

/** The output `[N, classes]` among those of a model. */
function classifierOutput(path: string, results: Readonly<Record<string, Tensor>>, classes: number): Tensor {
  const found = Object.values(results).find(({ shape }) => shape.length === 2 && shape[1] === classes);
  if (found) return found;
  throw otherClasses(path, Object.values(results), classes);
}

function otherClasses(path: string, outputs: readonly Pick<OnnxValue, 'shape'>[], classes: number): UserError {
  const shapes = outputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ');
  return wrong(path, `it gives ${shapes}, not [N, ${classes}] for the ${classes} classes of the images`);
}

/** uint8 `[N, S, S, 3]` in a layout. */
function asLayout(images: Tensor, layout: Layout): Tensor {
  const data = new Uint8Array(images.data.length);
  const placeOf = places(images.shape, layout);
  for (let i = 0; i < data.length; i++) data[placeOf(i)] = images.data[i]!;
  return { shape: shapeIn(images.shape, layout), data };
}

function normalized(images: Tensor, layout: Layout, way: Normalization): Tensor {
  const tables = [0, 1, 2].map((c) => Float32Array.from({ length: 256 }, (_, x) => NORMALIZE[way](x, c)));
  const data = new Float32Array(images.data.length);
  const placeOf = places(images.shape, layout);
  for (let i = 0; i < data.length; i++) data[placeOf(i)] = tables[i % 3]![images.data[i]!]!;
  return { shape: shapeIn(images.shape, layout), data };
}

const shapeIn = ([n, size]: Shape, layout: Layout): Shape =>
  layout === 'nhwc' ? [n!, size!, size!, 3] : [n!, 3, size!, size!];

/** Where the value at a place of `[N, S, S, 3]` goes. */
function places([, size]: Shape, layout: Layout): (place: number) => number {
  if (layout === 'nhwc') return (place) => place;
  const pixels = size! * size!;
  return (place) => {
    const pixel = Math.floor(place / 3);
    const image = Math.floor(pixel / pixels);
    return (3 * image + (place % 3)) * pixels + (pixel - image * pixels);
  };
}

/** Runs a batch in parts of the size that a model takes, the last one padded by repetition. */
async function inParts(images: Tensor, size: number, run: (part: Tensor) => Promise<Tensor>): Promise<Tensor> {
  const [n, ...rest] = images.shape as [number, ...number[]];
  if (n === size) return await run(images);
  const each = images.data.length / n;
  const rows: Float32Array[] = [];
  let classes = 0;
  for (let first = 0; first < n; first += size) {
    const data = new Uint8Array(size * each);
    for (let i = 0; i < size; i++) {
      const from = Math.min(n - 1, first + i) * each;
      data.set((images.data as Uint8Array).subarray(from, from + each), i * each);
    }
    const part = await run({ shape: [size, ...rest], data });
    classes = part.shape[1]!;
    rows.push((part.data as Float32Array).slice(0, Math.min(size, n - first) * classes));
  }
  const data = new Float32Array(n * classes);
  let at = 0;
  for (const row of rows) {
    data.set(row, at);
    at += row.length;
  }
  return { shape: [n, classes], data };
}

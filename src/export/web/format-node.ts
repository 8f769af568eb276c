/** The format `web`: a page that runs the model in any browser, with the library as one file, served from anywhere. */
import { readFile } from 'node:fs/promises';
import { encodeModel, type ModelFile } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { VERSION } from '../../core/version.ts';
import { load } from '../../embed/load-node.ts';
import { describeModel, type ImageModel } from '../../embed/model.ts';
import type { RawPixels } from '../../images/raw-pixels.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { fuse } from '../../reparam/fuse.ts';
import {
  type ExportedModel,
  type ExportOptions,
  FORMAT_BOUNDS,
  type Format,
  type Runner,
  type RunnerOptions,
} from '../format.ts';
import { hashState, sha256 } from '../onnx/write.ts';
import type { WebDescription } from './facts.ts';
import { pageHtml } from './markup.ts';

const FOLDER = 'web';
const MODEL = 'model.safetensors';
const LIBRARY = 'mobileone.js';
const MIN_SIZE = 32;

/** A file of `dist/page/`, which the build makes, seen from a bundle in `dist/` (or beside it) and from this source file. */
async function builtFile(name: string): Promise<Uint8Array> {
  const root = import.meta.url.endsWith('.ts') ? '../../..' : '..';
  return await readFile(new URL(`${root}/dist/page/${name}`, import.meta.url));
}

/** Options with their defaults; a UserError for those that a page can't follow. */
function resolve(model: ModelFile, options: ExportOptions): Required<ExportOptions> {
  const { layout = 'nhwc', dynamicBatch = true, dynamicSize = false, preprocessing = true, form = 'fused' } = options;
  const { size = model.preprocessing.size, precision = 'fp32' } = options;
  const impossible = {
    'the layout nchw': layout !== 'nhwc',
    'a fixed batch': !dynamicBatch,
    'an open image size': dynamicSize,
    'preprocessing outside the model': !preprocessing,
    'the train form': form !== 'fused',
  };
  const [refused] = Object.entries(impossible).find(([, asked]) => asked) ?? [];
  if (refused)
    throw new UserError(
      `The format web has no use for ${refused}: its runtime takes pictures, prepares them and runs the fused form.`,
      'Leave the option out.',
    );
  if (!Number.isInteger(size) || size < MIN_SIZE)
    throw new UserError(
      `The exported size must be a whole number of at least ${MIN_SIZE}, got ${size}.`,
      'Leave it out.',
    );
  return { layout, size, dynamicBatch, dynamicSize, preprocessing, form, precision };
}

async function encode(model: ModelFile, options: ExportOptions = {}): Promise<ExportedModel> {
  const resolved = resolve(model, options);
  const { size, precision } = resolved;
  const preprocessing = { ...model.preprocessing, size };
  const { graph, state } = fuse(model.graph, model.state);
  const fused: ModelFile = { ...model, form: 'fused', graph, state, preprocessing };
  const file = encodeModel(fused, { floats: precision === 'fp16' ? 'F16' : 'F32' });
  const weightsHash = await hashState(state);
  const known = describeModel(fused);
  const description: WebDescription = {
    layout: 1,
    model: MODEL,
    bytes: file.length,
    sha256: { file: await sha256(file), weights: weightsHash },
    precision,
    bound: FORMAT_BOUNDS[precision],
    ...known,
    info: { ...known.info, created_with: `mobileone ${VERSION}` },
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const script = new TextDecoder().decode(await builtFile('page.js'));
  const files = new Map([
    ['index.html', text(pageHtml(`${known.name}, ${known.classes.length} classes`, script))],
    [LIBRARY, await builtFile(LIBRARY)],
    [MODEL, file],
    ['model.json', text(`${JSON.stringify(description, null, 2)}\n`)],
  ]);
  return {
    format: WEB.name,
    files: new Map([...files].map(([name, bytes]) => [`${FOLDER}/${name}`, bytes])),
    main: `${FOLDER}/index.html`,
    input: 'Pictures of any size, by file, camera or paste: the page prepares them.',
    takes: 'picture',
    graph: withPreprocess(graph, preprocessing),
    state,
    preprocessing,
    options: resolved,
    weightsHash,
  };
}

type Open = (model: Uint8Array, threads: number | undefined, library: Uint8Array) => Promise<ImageModel<RawPixels>>;

/** What runs the written files: the engine for Node, or the written library itself, as a page would have it. */
const RUNTIMES: Readonly<Record<string, Open>> = {
  node: (model, threads) => load(model, threads ? { threads } : {}),
  async web(model, _threads, library) {
    const url = `data:text/javascript;base64,${Buffer.from(library).toString('base64')}`;
    const written = (await import(url)) as { readonly load: typeof load };
    return await written.load(model);
  },
};

async function open(
  files: ReadonlyMap<string, Uint8Array>,
  main: string,
  options: RunnerOptions = {},
): Promise<Runner> {
  const { runtime = 'node', threads } = options;
  const folder = main.slice(0, main.lastIndexOf('/') + 1);
  const opening = RUNTIMES[runtime];
  if (!opening)
    throw new UserError(
      `The format web has no runtime "${runtime}".`,
      `Choose one of ${Object.keys(RUNTIMES).join(', ')}.`,
    );
  const model = await opening(files.get(`${folder}${MODEL}`)!, threads, files.get(`${folder}${LIBRARY}`)!);
  return {
    description: `mobileone ${VERSION}, ${model.runtime}`,
    async logits({ shape, data }: Tensor): Promise<Tensor> {
      const [n, height, width, channels] = shape as [number, number, number, number];
      const bytes = width * height * channels;
      const images = Array.from({ length: n }, (_, i) => ({
        width,
        height,
        channels,
        data: data.subarray(i * bytes, (i + 1) * bytes) as Uint8Array,
      }));
      const rows = await model.logits(images, { cropped: true });
      const logits = new Float32Array(n * model.classes.length);
      for (const [i, row] of rows.entries()) logits.set(row, i * row.length);
      return { shape: [n, model.classes.length], data: logits };
    },
    dispose: () => model.dispose(),
  };
}

export const WEB: Format = {
  name: 'web',
  title: 'Web page',
  precisions: ['fp32', 'fp16'],
  ignores: ['layout', 'dynamicBatch', 'dynamicSize', 'preprocessing'],
  encode,
  open,
};

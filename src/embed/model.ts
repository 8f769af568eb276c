/** A loaded model that answers about images: what an app embeds, the same in Node and in browsers. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Proof } from '../checkpoint/proof.ts';
import { UserError } from '../core/errors.ts';
import { sizeOf, type Tensor } from '../core/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import { topK } from '../evaluate/metrics.ts';
import { probabilitiesOf } from '../evaluate/multi-label.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { evalCrop } from '../images/eval-crop.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { PixelImage } from '../images/resize.ts';
import { stageChannels } from '../models/mobileone.ts';
import { compileClassifier } from './compile.ts';

/** One answer: a class, and how sure the model is. */
export interface Prediction {
  readonly label: string;
  /** 0 to 1. */
  readonly probability: number;
  /** Position of the class among `classes`. */
  readonly index: number;
}

export interface ImageOptions {
  /** The image is already as the model takes it, `inputSize` × `inputSize`: it is neither resized nor cropped. Default false. */
  readonly cropped?: boolean;
}

export interface ClassifyOptions extends ImageOptions {
  /** At most so many answers; default 5, or all where images may have several labels. */
  readonly topK?: number;
  /** Only answers of at least this probability; default 0, or 0.5 where images may have several labels. */
  readonly threshold?: number;
}

/** Asks about one image, or about several one after the other. */
export interface Ask<Image, Answer, Options> {
  (image: Image, options?: Options): Promise<Answer>;
  (images: readonly Image[], options?: Options): Promise<Answer[]>;
}

/** What is known about a model beside its weights. */
export interface ModelDescription {
  /** E.g. `MobileOne-S0`. */
  readonly name: string;
  /** Of the form that runs: fused. */
  readonly parameters: number;
  readonly classes: readonly string[];
  /** Images may have several of the classes. */
  readonly multiLabel: boolean;
  readonly preprocessing: Preprocessing;
  /** Channels of its images: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
  readonly channels: number;
  /** Numbers of an embedding. */
  readonly embeddingSize: number;
  /** What was measured, e.g. `{ valTop1: 97.1 }` (percent). */
  readonly metrics: Readonly<Record<string, number>>;
  /** The check that the fused form equals the trained one, if the file has it. */
  readonly proof?: Proof;
  /** Free text by key, such as `license`; `created_with` names the version that wrote the file. */
  readonly info: Readonly<Record<string, string>>;
}

/** A model ready to answer. `Image` is what the platform takes as a picture. */
export interface ImageModel<Image> {
  /** The likeliest classes, likeliest first; of a model for several labels, those above one half. */
  readonly classify: Ask<Image, Prediction[], ClassifyOptions>;
  /** `[classes]`: what softmax (or sigmoid, of a model for several labels) makes probabilities. */
  readonly logits: Ask<Image, Float32Array, ImageOptions>;
  /** `[embeddingSize]`: the pooled features before the classifier. Alike images have embeddings of small angles. */
  readonly embed: Ask<Image, Float32Array, ImageOptions>;
  /** Names of the classes, in the order of the logits. */
  readonly classes: readonly string[];
  /** Side of the square that the model sees, in pixels. */
  readonly inputSize: number;
  /** Numbers of an embedding. */
  readonly embeddingSize: number;
  readonly description: ModelDescription;
  /** What computes, on how many threads, and why on one: e.g. `wasm, relaxed SIMD (fused multiply-add), 128 bit, 4 threads`. */
  readonly runtime: string;
  /** Frees memory and ends threads; nothing can be asked afterwards. */
  dispose(): Promise<void>;
}

/** What is known about a model file. */
export function describeModel(model: ModelFile): ModelDescription {
  const { variant, classes, multiLabel = false, preprocessing, metrics = {}, proof, info, config } = model;
  const { params } = fuseGraph(model.graph);
  return {
    name: variant ? `MobileOne-${variant.toUpperCase()}` : 'MobileOne',
    parameters: Object.values(params).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    classes,
    multiLabel,
    preprocessing,
    channels: config.in_chans,
    embeddingSize: stageChannels(config).stages[3]!,
    metrics,
    ...(proof ? { proof } : {}),
    info,
  };
}

/** Makes a model answer on an engine; `decode` turns the platform's pictures into pixels of so many channels. */
export async function openModel<Image>(
  model: ModelFile,
  engine: Engine,
  decode: (image: Image, channels: number) => Promise<PixelImage>,
): Promise<ImageModel<Image>> {
  const description = describeModel(model);
  const { classes, multiLabel, preprocessing, channels, embeddingSize } = description;
  const { size } = preprocessing;
  const program = await compileClassifier(engine, model, 1);

  const prepare = async (image: Image, { cropped = false }: ImageOptions): Promise<Tensor> => {
    const pixels = await decode(image, channels);
    const { width, height } = pixels;
    if (cropped && (width !== size || height !== size))
      throw new UserError(
        `The image is ${width} × ${height}, and cropped images of this model are ${size} × ${size}.`,
        'Leave out the option cropped.',
      );
    return { shape: [1, size, size, channels], data: cropped ? pixels.data : evalCrop(pixels, preprocessing) };
  };

  /** Prepares an image while another is computed; a failure is heard of when its turn comes. */
  const ahead = (image: Promise<Tensor>): Promise<Tensor> => {
    image.catch(() => undefined);
    return image;
  };

  const asking = <Answer, Options extends ImageOptions>(
    answer: (results: Readonly<Record<string, Tensor>>, options: Options) => Answer,
  ): Ask<Image, Answer, Options> => {
    const several = async (images: readonly Image[], options: Options): Promise<Answer[]> => {
      const answers: Answer[] = [];
      let next = images.length > 0 ? ahead(prepare(images[0]!, options)) : undefined;
      while (next) {
        const image = await next;
        const following = answers.length + 1;
        next = following < images.length ? ahead(prepare(images[following]!, options)) : undefined;
        answers.push(answer(await program.run({ image }), options));
      }
      return answers;
    };
    const ask = async (images: Image | readonly Image[], options = {} as Options): Promise<Answer | Answer[]> =>
      Array.isArray(images)
        ? await several(images, options)
        : answer(await program.run({ image: await prepare(images as Image, options) }), options);
    return ask as Ask<Image, Answer, Options>;
  };

  const { description: runs, threads } = engine.capabilities();
  // Where there can be one thread only, the engine says why, and so how many.
  const counted = threads === 1 ? '1 thread' : `${threads} threads`;
  return {
    classify: asking<Prediction[], ClassifyOptions>(({ logits }, options) => {
      const { topK: most = multiLabel ? classes.length : 5, threshold = multiLabel ? 0.5 : 0 } = options;
      const probabilities = probabilitiesOf(logits!.data, multiLabel);
      return topK(probabilities, most)
        .filter((index) => probabilities[index]! >= threshold)
        .map((index) => ({ label: classes[index]!, probability: probabilities[index]!, index }));
    }),
    logits: asking(({ logits }) => logits!.data as Float32Array),
    embed: asking(({ embedding }) => embedding!.data as Float32Array),
    classes,
    inputSize: size,
    embeddingSize,
    description,
    runtime: runs.includes(counted) ? runs : `${runs}, ${counted}`,
    dispose: () => program.dispose(),
  };
}

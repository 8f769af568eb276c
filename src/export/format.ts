/** What every export format provides: files of a model, and a way to ask those files for their answers. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Preprocessing } from '../images/preprocess.ts';

/** `fp16`: weights (and, where the format computes so, values) of half the size. */
export type Precision = 'fp32' | 'fp16';

export interface ExportOptions {
  /** Layout of the image input: `nhwc` (default, as decoders give it) or `nchw`; formats that know one refuse the other. */
  readonly layout?: 'nhwc' | 'nchw';
  /** Side of the square input in pixels; default: the size the model was trained for. */
  readonly size?: number;
  /** Leave the number of images open, or fix it to one; default: open where the format allows it. */
  readonly dynamicBatch?: boolean;
  /** Leave height and width open as well; default false. */
  readonly dynamicSize?: boolean;
  /** Put the preprocessing into the model, so that its input is uint8 (default); else float32, normalized. */
  readonly preprocessing?: boolean;
  /** `fused` (default), or `train`: every branch on its own, for measuring only. */
  readonly form?: 'train' | 'fused';
  /** Default: the format's own. */
  readonly precision?: Precision;
}

export interface ExportedModel {
  /** Name of the format, e.g. `onnx`. */
  readonly format: string;
  /** Bytes by path inside the bundle, with slashes, e.g. `model.onnx` or `model.mlpackage/Manifest.json`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What a user opens: a file, or a folder as of Core ML. */
  readonly main: string;
  /** What to feed it, in a sentence; default: that of ONNX (`inputStatement`). */
  readonly input?: string;
  /** The type of its input, where it is not that of the options (uint8, or float32 without preprocessing). */
  readonly takes?: 'picture' | 'float32';
  /** What the files compute from uint8 images `[N, H, W, C]`, for checking them. */
  readonly graph: Graph;
  readonly state: StateDict;
  readonly preprocessing: Preprocessing;
  /** As they came out: `layout` is that of the input there is. */
  readonly options: Required<ExportOptions>;
  /** sha256 of the weights, in hexadecimal. */
  readonly weightsHash: string;
}

/** What written files say of themselves. */
export interface FileFacts {
  readonly classes: readonly string[];
  /** Its `size` is that of the images that the files take. */
  readonly preprocessing: Preprocessing;
  readonly precision: Precision;
}

/** Written files, opened in a real runtime of their format. */
export interface Runner {
  /** Runtime, version, settings, e.g. `onnxruntime-node 1.30.0`. */
  readonly description: string;
  /** Of formats that have a place for it. */
  readonly about?: FileFacts;
  /**
   * uint8 images `[N, H, W, C]` of the exported size → logits `[N, classes]`. Where the preprocessing is not in the model, they
   * may be float32, with fractions.
   */
  logits(images: Tensor): Promise<Tensor>;
  dispose(): Promise<void>;
}

export interface RunnerOptions {
  readonly threads?: number;
  /** Which of the format's runtimes, e.g. `node` or `web`; default: its first. */
  readonly runtime?: string;
}

export interface Format {
  readonly name: string;
  /** As its makers write it, e.g. `Core ML`. */
  readonly title: string;
  /** The first is the default. */
  readonly precisions: readonly Precision[];
  /** Options that say nothing about its files, as of weights alone; refused where no other format heeds them. */
  readonly ignores?: readonly (keyof ExportOptions)[];
  /** The files of a model; throws a UserError for options or models that the format can't express. */
  encode(model: ModelFile, options?: ExportOptions): Promise<ExportedModel>;
  /**
   * Opens the files of `encode` in a real runtime; throws a UserError whose hint says what to install when it is missing.
   * Undefined: there is none outside the maker's devices (Core ML), and the files are checked otherwise.
   */
  readonly open?: (files: ReadonlyMap<string, Uint8Array>, main: string, options?: RunnerOptions) => Promise<Runner>;
}

/** Largest logit difference allowed, relative to the largest absolute logit. */
export const FORMAT_BOUNDS: Readonly<Record<Precision, number>> = { fp32: 1e-4, fp16: 1e-2 };

/** Whether an error of `open` says that the runtime is missing, and not that something is wrong with the files. */
export function isMissingRuntime(error: unknown): error is UserError {
  return error instanceof UserError && /\binstall\b/i.test(error.hint);
}

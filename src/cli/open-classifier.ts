/** What `eval` and `predict` run: a run's model, a file of weights, or an exported file in its own runtime. */
import { existsSync, statSync } from 'node:fs';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import { compileClassifier } from '../embed/compile.ts';
import { autoThreads } from '../engine/wasm/auto-threads-node.ts';
import type { Classifier } from '../evaluate/evaluate.ts';
import { openEngine, threadCount } from './open-engine.ts';
import { type OpenedModel, openModel } from './open-model.ts';

export interface EngineFlags {
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
}

/** A classifier that holds memory or threads. */
export interface OpenClassifier extends Classifier {
  dispose(): Promise<void>;
}

export interface Evaluated {
  readonly path: string;
  /** Its class names and how images are prepared for it. */
  readonly model: Pick<ModelFile, 'classes' | 'multiLabel' | 'preprocessing'>;
  readonly run?: OpenedModel['run'];
  /** The weights, where they are known: not those of an exported file. */
  readonly opened?: OpenedModel;
  /** Makes it ready for batches of a size. */
  open(batch: number): Promise<OpenClassifier>;
}

/** An exported file, ready to run: it knows its classes and its preprocessing. */
type ExportedClassifier = OpenClassifier & Evaluated['model'];

interface ExportedKind {
  readonly title: string;
  readonly runtime: string;
  /** Flags of ours that its runtime does not heed. */
  readonly unused: readonly (keyof EngineFlags)[];
  open(path: string, threads: number): Promise<ExportedClassifier>;
}

/** Exported files that are run as they are, by the end of their names. */
const EXPORTED: Readonly<Record<string, ExportedKind>> = {
  onnx: {
    title: 'an ONNX file',
    runtime: 'ONNX Runtime runs it',
    unused: ['engine', 'wide'],
    async open(path, threads) {
      const { openOnnxClassifier } = await import('../export/onnx/classifier-node.ts');
      return await openOnnxClassifier(path, { threads });
    },
  },
  tflite: {
    title: 'a TFLite file',
    runtime: 'LiteRT.js runs it, on one thread',
    unused: ['engine', 'wide', 'threads'],
    async open(path) {
      const { openTfliteClassifier } = await import('../export/tflite/classifier-node.ts');
      return await openTfliteClassifier(path);
    },
  },
};

/** The kind of an exported file; of other targets (runs, weights) undefined. */
function exportedKind(target: string): ExportedKind | undefined {
  const end = target.split('.').at(-1)!.toLowerCase();
  const isFile = existsSync(target) && !statSync(target).isDirectory();
  return isFile && Object.hasOwn(EXPORTED, end) ? EXPORTED[end] : undefined;
}

/** Opens what is to be run. */
export async function openEvaluated(target: string, flags: EngineFlags): Promise<Evaluated> {
  const kind = exportedKind(target);
  if (kind) return await openFile(target, kind, flags);
  const opened = await openModel(target);
  const { path, model, run } = opened;
  return {
    path,
    model,
    run,
    opened,
    async open(batch) {
      const engine = await openEngine({ ...flags, name: flags.engine ?? run?.recipe.engine });
      return await compileClassifier(engine, model, batch);
    },
  };
}

async function openFile(path: string, kind: ExportedKind, flags: EngineFlags): Promise<Evaluated> {
  const unused = kind.unused.find((name) => flags[name] !== undefined);
  if (unused) throw new UserError(`--${unused} has no effect on ${kind.title}: ${kind.runtime}.`, 'Leave it out.', 2);
  const classifier = await kind.open(path, threadCount(flags.threads) ?? autoThreads());
  return { path, model: classifier, open: async () => classifier };
}

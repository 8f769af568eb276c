/** What `eval` measures: a run, a file of weights, or an exported ONNX file in ONNX Runtime. */
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
  /** The weights, where they are known: not those of an ONNX file. */
  readonly opened?: OpenedModel;
  /** Makes it ready for batches of a size. */
  open(batch: number): Promise<OpenClassifier>;
}

const isOnnx = (target: string): boolean =>
  /\.onnx$/i.test(target) && existsSync(target) && !statSync(target).isDirectory();

/** Opens what is to be evaluated. */
export async function openEvaluated(target: string, flags: EngineFlags): Promise<Evaluated> {
  if (isOnnx(target)) return await openFile(target, flags);
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

async function openFile(path: string, { engine, threads, wide }: EngineFlags): Promise<Evaluated> {
  const unused = engine !== undefined ? '--engine' : wide !== undefined ? '--wide' : undefined;
  if (unused) throw new UserError(`${unused} has no effect on an ONNX file: ONNX Runtime runs it.`, 'Leave it out.', 2);
  const { openOnnxClassifier } = await import('../export/onnx/classifier-node.ts');
  const classifier = await openOnnxClassifier(path, { threads: threadCount(threads) ?? autoThreads() });
  return { path, model: classifier, open: async () => classifier };
}

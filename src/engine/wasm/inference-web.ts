/** The wasm engine in a browser, for inference alone: its kernels are a part of the bundle, so that no file must be served beside. */

import { INFERENCE_OPS } from '../../graph/inference-ops.ts';
import type { Engine, Threads } from '../engine.ts';
import { INFERENCE_RULES } from './lower/inference-rules.ts';
import { openWebEngine, type WebBuild } from './open-web.ts';

/** Chunks with a build in base64 (`kernels/build.mjs` makes the files, `tsdown.config.ts` the chunks); one is loaded, when it is chosen. */
const CHUNKS: Readonly<Record<WebBuild, () => Promise<{ readonly default: string }>>> = {
  relaxed: () => import('../../../dist/kernels/relaxed-inference.wasm'),
  baseline: () => import('../../../dist/kernels/baseline-inference.wasm'),
};

async function readKernels(build: WebBuild): Promise<Uint8Array<ArrayBuffer>> {
  const { default: base64 } = await CHUNKS[build]();
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Opens the engine in a page or worker; it runs no training step. */
export async function webInferenceEngine(threads: Threads): Promise<Engine> {
  return await openWebEngine({ ops: INFERENCE_OPS, rules: INFERENCE_RULES, read: readKernels }, { threads });
}

/** `load` of `mobileone/web`: from the address of a model to its first answer, in a page or a worker. */
import { decodeSafetensorsModel } from '../checkpoint/model-file.ts';
import { webInferenceEngine } from '../engine/wasm/inference-web.ts';
import { decodeWebImage, type WebImage } from '../images/decode-web.ts';
import { type ImageModel, openModel } from './model.ts';
import { type LoadOptions, type ModelSource, readModel } from './source.ts';

/**
 * Loads a model: a `.safetensors` file (of train form too: it is fused) or a folder with a `model.json`, by address, or its bytes.
 * Throws a UserError that says what to do when it can't be had, is something else, or this browser can't run it.
 *
 * @example
 * const model = await load('/model/fused.safetensors');
 * const [best] = await model.classify(document.querySelector('img')!);
 * console.log(best.label, best.probability);
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<ImageModel<WebImage>> {
  const { threads = 'auto', fetch } = options;
  const [model, engine] = await Promise.all([
    readModel(source, decodeSafetensorsModel, options),
    webInferenceEngine(threads),
  ]);
  options.signal?.throwIfAborted();
  return await openModel<WebImage>(model, engine, (image, channels) => decodeWebImage(image, channels, fetch));
}

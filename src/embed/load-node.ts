/** `load` of `mobileone/node`: from the path or address of a model to its first answer. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { decodeAnyModel, readBytes } from '../checkpoint/store-node.ts';
import { UserError } from '../core/errors.ts';
import { nodeWasmEngine } from '../engine/wasm/node.ts';
import { decodeImage } from '../images/decode-node.ts';
import { fromRawPixels, type RawPixels } from '../images/raw-pixels.ts';
import type { PixelImage } from '../images/resize.ts';
import { type ImageModel, openModel } from './model.ts';
import { DESCRIPTIONS, decodeNamed, type LoadOptions, type ModelSource, modelNamedBy, readModel } from './source.ts';

/** A path or address, an encoded file, or pixels. */
export type NodeImage = string | URL | Uint8Array | ArrayBuffer | Blob | RawPixels;

/** The models of a run folder. */
const RUN_FILES: readonly string[] = ['fused.safetensors', 'model.safetensors'];

/** A path as it is, that of a `file:` address, or undefined for another address. */
function pathOf(source: string | URL): string | undefined {
  const text = String(source);
  if (/^file:/i.test(text)) return fileURLToPath(text);
  return /^(https?|data|blob):/i.test(text) ? undefined : text;
}

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();
const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** The model file that a path means: itself, or what a folder's `model.json` names, or the model of a run. */
async function modelAt(path: string): Promise<string> {
  if (/\.json$/i.test(path))
    return join(path, '..', modelNamedBy(new TextDecoder().decode(await readBytes(path)), path));
  if (!isFolder(path)) return path;
  for (const name of DESCRIPTIONS) if (isFile(join(path, name))) return await modelAt(join(path, name));
  for (const name of RUN_FILES) if (isFile(join(path, name))) return join(path, name);
  throw new UserError(
    `The folder ${path} has neither a model.json nor the models of a run.`,
    'Give a model file, a run, or a folder that mobileone export --to web wrote.',
  );
}

const decodeModel = (bytes: Uint8Array): ModelFile => decodeAnyModel(bytes).model;

async function readNodeModel(source: ModelSource, options: LoadOptions): Promise<ModelFile> {
  const path = typeof source === 'string' || source instanceof URL ? pathOf(source) : undefined;
  if (path === undefined) return await readModel(source, decodeModel, options);
  const name = await modelAt(path);
  return decodeNamed({ name, bytes: await readBytes(name) }, decodeModel, options);
}

async function decodeNodeImage(image: NodeImage, channels: number, get: typeof fetch): Promise<PixelImage> {
  if (typeof image === 'string' || image instanceof URL) {
    const path = pathOf(image);
    if (path !== undefined) return await decodeImage(path, { channels });
    const response = await get(image).catch((error: Error) => {
      throw new UserError(`${image} could not be fetched (${error.message}).`, 'Check the address and the connection.');
    });
    if (!response.ok)
      throw new UserError(
        `${image} could not be fetched: the server answered ${response.status}.`,
        'Check the address.',
      );
    return await decodeImage(new Uint8Array(await response.arrayBuffer()), { channels, name: String(image) });
  }
  if (image instanceof Blob) return await decodeImage(new Uint8Array(await image.arrayBuffer()), { channels });
  if (image instanceof ArrayBuffer) return await decodeImage(new Uint8Array(image), { channels });
  if (image instanceof Uint8Array) return await decodeImage(image, { channels });
  if (image && typeof image === 'object' && 'data' in image) return fromRawPixels(image, channels);
  throw new UserError(
    `This is no image: ${Object.prototype.toString.call(image)}.`,
    'Give a path, an encoded file as bytes, or pixels as { data, width, height, channels }.',
  );
}

/**
 * Loads a model: a `.safetensors` file (of train form too: it is fused), a run or a folder with a `model.json`, by path or address, or
 * its bytes. Throws a UserError that says what to do when it can't be had or is something else.
 *
 * @example
 * const model = await load('runs/photos-s0-1');
 * const [best] = await model.classify('cat.jpg');
 * console.log(best.label, best.probability);
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<ImageModel<NodeImage>> {
  const { threads = 'auto', fetch = globalThis.fetch } = options;
  const [model, engine] = await Promise.all([readNodeModel(source, options), nodeWasmEngine({ threads })]);
  options.signal?.throwIfAborted();
  return await openModel<NodeImage>(model, engine, (image, channels) => decodeNodeImage(image, channels, fetch));
}

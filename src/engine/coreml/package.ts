/** A `.mlpackage`: a folder with the model, its weights, and a manifest that names both. */
import { UserError } from '../../core/errors.ts';

export interface PackageParts {
  /** The message Model. */
  readonly model: Uint8Array;
  /** `weight.bin` */
  readonly weights: Uint8Array;
}

const DATA = 'Data/com.apple.CoreML';
/** Where the parts lie in the folder. */
export const MODEL_PATH: string = `${DATA}/model.mlmodel`;
export const WEIGHTS_PATH: string = `${DATA}/weights/weight.bin`;
/** What a constant of the model calls the file of weights. */
export const WEIGHTS_NAME = '@model_path/weights/weight.bin';

/** Files by path inside the folder. Identifiers come from the contents, so that the same model gives the same files. */
export async function writePackage(parts: PackageParts): Promise<Map<string, Uint8Array>> {
  const [model, weights] = await Promise.all([identifier(parts.model), identifier(parts.weights)]);
  const item = (description: string, name: string): object => ({
    author: 'com.apple.CoreML',
    description,
    name,
    path: `com.apple.CoreML/${name}`,
  });
  const manifest = {
    fileFormatVersion: '1.0.0',
    itemInfoEntries: {
      [model]: item('CoreML Model Specification', 'model.mlmodel'),
      [weights]: item('CoreML Model Weights', 'weights'),
    },
    rootModelIdentifier: model,
  };
  return new Map([
    ['Manifest.json', new TextEncoder().encode(`${JSON.stringify(manifest, null, 4)}\n`)],
    [MODEL_PATH, parts.model],
    [WEIGHTS_PATH, parts.weights],
  ]);
}

/** A UUID (version 8, free form) made of the first 16 bytes of the sha256. */
async function identifier(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  hash[6] = (hash[6]! & 15) | 0x80;
  hash[8] = (hash[8]! & 63) | 0x80;
  const hex = Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The parts of a package whose files lie under `main` (`''`: the paths begin inside it). Throws a UserError for one that is none. */
export function readPackage(files: ReadonlyMap<string, Uint8Array>, main = ''): PackageParts {
  const prefix = main === '' ? '' : `${main}/`;
  const file = (path: string): Uint8Array => {
    const bytes = files.get(`${prefix}${path}`);
    if (!bytes) throw notOurs(`it has no ${path}`);
    return bytes;
  };
  const root = rootModel(new TextDecoder().decode(file('Manifest.json')));
  if (root !== MODEL_PATH) throw notOurs(`its manifest does not name ${MODEL_PATH}`);
  return { model: file(MODEL_PATH), weights: file(WEIGHTS_PATH) };
}

/** Path of the model that a manifest names, undefined if there is none. */
function rootModel(manifest: string): string | undefined {
  try {
    const { itemInfoEntries, rootModelIdentifier } = JSON.parse(manifest);
    return `Data/${itemInfoEntries[rootModelIdentifier].path}`;
  } catch {
    return undefined;
  }
}

function notOurs(why: string): UserError {
  return new UserError(
    `This is no Core ML package as mobileone writes it: ${why}.`,
    'Give the folder that ends in .mlpackage, as it was exported.',
  );
}

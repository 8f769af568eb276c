/** Where a model comes from: its bytes, a response, the address of its file, or of a folder whose `model.json` names it. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import type { Threads } from '../engine/engine.ts';
import { describeBytes } from '../images/sniff.ts';

/** Bytes of a model file, something that gives them, or an address: of a model file, a folder, or its `model.json`. */
export type ModelSource = string | URL | Response | Blob | ArrayBuffer | Uint8Array;

export interface LoadOptions {
  /** Threads to compute on; default `auto`: as many as cores, at most 8. In a page that is not cross-origin isolated there is one. */
  readonly threads?: Threads;
  /** Gives up loading. */
  readonly signal?: AbortSignal;
  /** Told while the model file comes in; `total` is undefined where the server does not say. In bytes. */
  onProgress?(loaded: number, total: number | undefined): void;
  /** Used for every request instead of the global one: to add headers, or to answer from a cache of yours. */
  readonly fetch?: typeof fetch;
}

/** What describes a folder with a model, and where it may lie in it. */
export const DESCRIPTIONS: readonly string[] = ['model.json', 'web/model.json'];

/** Models are far smaller; what is larger is something else. */
const MAX_BYTES = 2 ** 30;

/** How a model file is read. */
type Decode = (bytes: Uint8Array) => ModelFile;

/** Reads a model. Throws a UserError that says what the source is instead, or why it can't be had. */
export async function readModel(source: ModelSource, decode: Decode, options: LoadOptions = {}): Promise<ModelFile> {
  return decodeNamed(await bytesOf(source, options), decode, options);
}

/** A file that was read, and how messages name it. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Decodes a model file that is there as a whole, with its name put before any complaint. */
export function decodeNamed(
  { name, bytes }: NamedBytes,
  decode: Decode,
  { signal, onProgress }: LoadOptions,
): ModelFile {
  signal?.throwIfAborted();
  onProgress?.(bytes.length, bytes.length);
  refuseOther(name, bytes);
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${name}: ${error.message}`, error.hint, error.exitCode);
    throw error;
  }
}

async function bytesOf(source: ModelSource, options: LoadOptions): Promise<NamedBytes> {
  if (typeof source === 'string' || source instanceof URL) return await fetchModel(absolute(source), options);
  if (source instanceof Response) return await readResponse(source, options);
  const name = 'The model';
  if (source instanceof Blob) {
    checkLength(name, source.size);
    return { name: (source as Partial<File>).name ?? name, bytes: new Uint8Array(await source.arrayBuffer()) };
  }
  return { name, bytes: source instanceof Uint8Array ? source : new Uint8Array(source) };
}

function absolute(address: string | URL): URL {
  const base = globalThis.location?.href;
  try {
    return new URL(address, base);
  } catch {
    throw new UserError(
      `"${address}" is not an address${base?.startsWith('blob:') ? ' that a worker made from a blob can complete' : ''}.`,
      'Give a whole one: https://…',
    );
  }
}

const isFolder = ({ pathname }: URL): boolean => pathname.endsWith('/');

async function fetchModel(url: URL, options: LoadOptions): Promise<NamedBytes> {
  if (isFolder(url)) return await fetchFolder(url, options);
  const response = await request(url, options);
  if (/\.json$/i.test(url.pathname))
    return await readResponse(await request(await modelOf(response, url), options), options);
  // A server answers for a folder's name without its slash by naming the folder.
  if (response.redirected && isFolder(new URL(response.url))) {
    await response.body?.cancel();
    return await fetchFolder(new URL(response.url), options);
  }
  return await readResponse(response, options);
}

async function fetchFolder(folder: URL, options: LoadOptions): Promise<NamedBytes> {
  for (const name of DESCRIPTIONS) {
    const url = new URL(name, folder);
    const response = await request(url, options, true);
    if (response.ok) return await readResponse(await request(await modelOf(response, url), options), options);
  }
  throw new UserError(
    `${folder} has no model.json that names a model.`,
    'Give the folder that mobileone export --to web wrote, or the address of a model file.',
  );
}

/** The model file that a description names, beside it. */
async function modelOf(response: Response, url: URL): Promise<URL> {
  return new URL(modelNamedBy(await response.text(), String(url)), url);
}

/** The file that a `model.json` names. */
export function modelNamedBy(text: string, name: string): string {
  let model: unknown;
  try {
    ({ model } = JSON.parse(text) as { model?: unknown });
  } catch {
    model = undefined;
  }
  if (typeof model === 'string') return model;
  throw new UserError(
    `${name} names no model: it is ${describeBytes(new TextEncoder().encode(text))}.`,
    'Give the model.json that mobileone export --to web wrote, or the address of a model file.',
  );
}

async function request(
  url: URL,
  { signal, fetch = globalThis.fetch }: LoadOptions,
  mayFail = false,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw new UserError(
      `${url} could not be fetched (${error instanceof Error ? error.message : error}).`,
      url.protocol === 'file:'
        ? 'Browsers fetch nothing from disk: serve the folder, for example by npx http-server.'
        : 'Check the address and the connection. A server of another site must send Access-Control-Allow-Origin.',
    );
  }
  if (!response.ok && !mayFail)
    throw new UserError(
      `${url} could not be fetched: the server answered ${response.status}${response.statusText && ` (${response.statusText})`}.`,
      response.status === 404 ? 'Check the path, and that the file was deployed.' : 'Ask whoever runs the server.',
    );
  return response;
}

function checkLength(name: string, length: number): void {
  if (length > MAX_BYTES)
    throw new UserError(
      `${name} is larger than ${MAX_BYTES / 2 ** 30} GiB, so it is no model of this library.`,
      'Check that it is the right file.',
    );
}

async function readResponse(response: Response, { onProgress, signal }: LoadOptions): Promise<NamedBytes> {
  const name = response.url || 'The response';
  if (!response.ok)
    throw new UserError(`${name} is an answer with status ${response.status}, not a model.`, 'Check the address.');
  // Of a compressed answer, the length is that before it is unpacked.
  const length = response.headers.has('content-encoding') ? 0 : Number(response.headers.get('content-length') ?? 0);
  checkLength(name, length);
  const parts: Uint8Array[] = [];
  let loaded = 0;
  try {
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
      parts.push(part.value);
      loaded += part.value.length;
      checkLength(name, loaded);
      onProgress?.(loaded, length >= loaded ? length : undefined);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    signal?.throwIfAborted();
    throw new UserError(
      `${name} broke off after ${loaded} bytes (${error instanceof Error ? error.message : error}).`,
      'Check the connection and try again.',
    );
  }
  return { name, bytes: joined(parts, loaded) };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Says what a file is that can't be safetensors, whose ninth byte begins a JSON object. */
function refuseOther(name: string, bytes: Uint8Array): void {
  if (bytes[8] === 0x7b) return;
  const start = new TextDecoder().decode(bytes.subarray(0, 64));
  const kind = start.startsWith('version https://git-lfs') ? 'a pointer of Git LFS' : describeBytes(bytes);
  const hints: Readonly<Record<string, string>> = {
    'an HTML page':
      'Servers often answer so for an address they don’t know: check the path, and that the file was deployed.',
    'a pointer of Git LFS': 'Fetch the file itself: git lfs pull.',
    'a zip archive': 'Weights of PyTorch (.pth) must be converted to safetensors first.',
  };
  throw new UserError(
    `${name} is not a model file: it is ${kind}.`,
    hints[kind] ??
      'Give a .safetensors file that mobileone train, fuse or export wrote, or that timm or Apple’s code can be read from.',
  );
}

/** Reads bundles, which may come from anywhere: nothing outside their folder is opened, and nothing absurdly large. */
import { existsSync } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Card } from './card.ts';
import { FORMAT_BOUNDS } from './format.ts';
import type { Golden } from './golden.ts';
import type { PreprocessingDescription } from './preprocessing.ts';

/** Largest text, largest file, most files, and largest counts that a bundle may claim. */
export const LIMITS: Readonly<Record<'text' | 'file' | 'files' | 'golden' | 'classes' | 'size', number>> = {
  ...{ text: 64e6, file: 2 ** 31, files: 10_000, golden: 1000, classes: 1e6, size: 8192 },
};

/** Files that say everything of the others, and are not in the card themselves. */
export const OUTSIDE_THE_CARD: readonly string[] = ['card.json', 'README.md', 'SHA256SUMS'];

/** Files that say what the others must be and give. */
export const NEEDED: readonly string[] = ['golden.json', 'labels.txt', 'preprocessing.json', 'proof.json'];

/** What file managers and the readers' package managers leave in folders, and can make again. */
const JUNK: ReadonlySet<string> = new Set(['.DS_Store', 'Thumbs.db', 'desktop.ini', 'node_modules', '__pycache__']);

const DISTRUST = 'It is damaged or was made to do harm: do not use it, and get it again from whoever made it.';

/** Complains about a bundle that says what no export writes. */
export function hostile(what: string): UserError {
  return new UserError(`This bundle is not as mobileone writes them: ${what}.`, DISTRUST);
}

const shown = (path: unknown): string => JSON.stringify(String(path).slice(0, 80));

/** Throws a UserError unless a path of a bundle's JSON stays inside its folder. */
export function requireInside(path: unknown): asserts path is string {
  const fine =
    typeof path === 'string' &&
    path.length <= 500 &&
    !/[\u0000-\u001f\\:]/.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!fine) throw hostile(`it names a file outside itself, ${shown(path)}`);
}

/** Reads a regular file of a bundle; undefined where there is none. Throws a UserError for links that lead outside, and above the limit. */
export async function readInside(
  folder: string,
  path: string,
  limit: number = LIMITS.file,
): Promise<Uint8Array | undefined> {
  requireInside(path);
  const full = join(folder, path);
  const stats = await lstat(full).catch(() => undefined);
  if (!stats) return undefined;
  const [root, real] = await Promise.all([realpath(folder), realpath(full)]);
  if (!stats.isFile() || !real.startsWith(root + sep)) throw hostile(`${shown(path)} is no file of its folder`);
  if (stats.size > limit)
    throw hostile(`${shown(path)} has ${stats.size} bytes, more than the ${limit} that it may have`);
  const file = await open(full, 'r');
  try {
    // As many as were looked at: a file that grows meanwhile is not followed.
    const bytes = new Uint8Array(stats.size);
    let read = 0;
    for (let more = 1; more > 0 && read < bytes.length; read += more)
      more = (await file.read(bytes, read, bytes.length - read, read)).bytesRead;
    return bytes.subarray(0, read);
  } finally {
    await file.close();
  }
}

/** Reads JSON of a bundle; a UserError where it is missing or none. */
export async function readJson(folder: string, path: string): Promise<unknown> {
  const bytes = await readInside(folder, path, LIMITS.text);
  if (!bytes) throw new UserError(`${join(folder, path)} is missing.`, 'Export again, or copy the whole folder.');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw hostile(`${path} is not JSON`);
  }
}

type Json = Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown, limit: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= limit;
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

/** Reads the card of a bundle, as far as it is relied on: paths inside, counts within the limits. */
export async function readCard(folder: string): Promise<Card> {
  if (!existsSync(folder)) throw new UserError(`There is no folder ${folder}.`, 'Check the path.');
  if (!existsSync(join(folder, 'card.json')))
    throw new UserError(
      `${folder} is not a bundle: it has no card.json.`,
      'A bundle is the folder that mobileone export writes.',
    );
  const card = await readJson(folder, 'card.json');
  if (!isRecord(card)) throw hostile('card.json is not a card');
  if (typeof card.bundle === 'number' && card.bundle > 1)
    throw new UserError(`${folder} was written by a newer version of mobileone.`, 'Update mobileone and try again.');
  const { files, exports, golden, proof, title, task } = card;
  if (card.bundle !== 1 || typeof title !== 'string') throw hostile('card.json is not a card of a bundle');
  if (task !== 'single_label_classification' && task !== 'multi_label_classification')
    throw hostile('its task is unknown');
  if (!isCount(card.size, LIMITS.size) || !isCount(card.classes, LIMITS.classes)) throw hostile('its sizes are absurd');
  if (!isRecord(golden) || !isCount(golden.images, LIMITS.golden)) throw hostile('it counts its golden images wrongly');
  if (!isRecord(proof) || !isRecord(proof.files)) throw hostile('it has no proofs');
  if (!isRecord(files) || Object.keys(files).length > LIMITS.files) throw hostile('it lists no files, or far too many');
  for (const path of NEEDED) if (!(path in files)) throw hostile(`it has no ${path}`);
  for (const [path, facts] of Object.entries(files)) {
    requireInside(path);
    if (!isRecord(facts) || !isCount(facts.bytes, LIMITS.file) || typeof facts.sha256 !== 'string')
      throw hostile(`${shown(path)} has no size and hash, or an absurd one`);
  }
  if (!Array.isArray(exports) || exports.length === 0 || exports.length > 100)
    throw hostile('it has no files of a model');
  for (const one of exports as unknown[]) {
    if (!isRecord(one) || typeof one.format !== 'string' || typeof one.title !== 'string')
      throw hostile('a file has no format');
    if (!(String(one.precision) in FORMAT_BOUNDS))
      throw hostile(`a file has the unknown precision ${shown(one.precision)}`);
    requireInside(one.main);
    if (!isTexts(one.files) || one.files.some((path) => !(path in files)))
      throw hostile(`${shown(one.main)} has files that are not listed`);
  }
  return card as unknown as Card;
}

/** Reads `golden.json`, as far as it is relied on. */
export async function readGolden(folder: string, { classes }: Pick<Card, 'classes'>): Promise<Golden> {
  const golden = await readJson(folder, 'golden.json');
  if (!isRecord(golden) || !Array.isArray(golden.images) || golden.images.length > LIMITS.golden)
    throw hostile('golden.json has no list of images');
  for (const entry of golden.images as unknown[]) {
    if (!isRecord(entry)) throw hostile('golden.json has an entry that is none');
    requireInside(entry.file);
    const { label, labels, logits } = entry;
    const answered = typeof label === 'string' ? labels === undefined : isTexts(labels);
    if (!answered || !Array.isArray(logits) || logits.length !== classes || !logits.every(Number.isFinite))
      throw hostile(`golden.json has no answer of ${classes} classes for ${shown(entry.file)}`);
  }
  return golden as unknown as Golden;
}

/** Reads `preprocessing.json`, as far as it is relied on. */
export async function readPreprocessing(folder: string): Promise<PreprocessingDescription> {
  const how = await readJson(folder, 'preprocessing.json');
  const fine =
    isRecord(how) &&
    isCount(how.crop, LIMITS.size) &&
    isCount(how.channels, 4) &&
    isRecord(how.inputs) &&
    isRecord(how.resize) &&
    isCount(how.resize.short_side, 4 * LIMITS.size);
  if (!fine) throw hostile('preprocessing.json does not say how pictures are prepared');
  return how as unknown as PreprocessingDescription;
}

/** Every file below a folder, by path with slashes, but for what others can make again. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !path.split('/').some((part) => JUNK.has(part)))
    .sort();
}

/** Throws a UserError unless a folder may be replaced: it is not there, empty, or a bundle with nothing else in it. */
export async function requireReplaceable(folder: string): Promise<void> {
  const stats = await lstat(folder).catch(() => undefined);
  if (!stats) return;
  const refuse = (why: string): UserError =>
    new UserError(
      `${folder} ${why}, and would be replaced. Nothing was changed.`,
      'Name another --out, or move that away.',
    );
  const entries = await readdir(folder).catch(() => {
    throw refuse('is a file');
  });
  if (entries.every((name) => JUNK.has(name))) return;
  if (!entries.includes('card.json')) throw refuse('holds files and is not a bundle');
  const card = await readCard(folder).catch((error: unknown) => {
    throw error instanceof UserError ? refuse(`holds a card.json that can't be read (${error.message})`) : error;
  });
  const own = new Set([...Object.keys(card.files), ...OUTSIDE_THE_CARD]);
  const others = (await listFiles(folder)).filter((path) => !own.has(path));
  if (others.length > 0)
    throw refuse(
      `holds ${others.length === 1 ? 'a file' : `${others.length} files`} beside the bundle (${others.slice(0, 3).join(', ')})`,
    );
}

/**
 * Model files from the Hugging Face hub (or a mirror: HF_ENDPOINT; private ones: HF_TOKEN), kept in a cache folder by commit.
 * A download that was cut off goes on where it stopped; its size, and its SHA-256 where the hub tells it, are checked.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder } from '../core/folder-node.ts';
import { writeAtomic } from './write-node.ts';

/** A file of a repository: `hub:owner/name[@revision][/path/in/it]`. */
export interface HubFile {
  readonly repo: string;
  readonly revision: string;
  readonly file: string;
}

export interface HubOptions {
  readonly cacheDir: string;
  /** Default: HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const PREFIX = 'hub:';
const PART = '[\\w][\\w.-]*';
const SPEC = new RegExp(`^(${PART}/${PART})(?:@(${PART}))?(?:/(${PART}(?:/${PART})*))?$`);

/** Whether a model is named by its place on the hub. */
export function isHubName(target: string): boolean {
  return target.startsWith(PREFIX);
}

/** Reads `hub:owner/name[@revision][/file]`; the file is `model.safetensors` unless named. Throws a UserError. */
export function parseHubName(target: string): HubFile {
  const match = SPEC.exec(target.slice(PREFIX.length));
  if (!match)
    throw new UserError(
      `"${target}" names no model on the hub.`,
      'Write hub:owner/name, hub:owner/name@revision or hub:owner/name/file.safetensors.',
      2,
    );
  const [, repo, revision = 'main', file = 'model.safetensors'] = match;
  return { repo: repo!, revision, file };
}

/** The path of the file in the cache, downloaded if it is not there yet. Without network, what was fetched last is taken. */
export async function fetchFromHub(target: string, options: HubOptions): Promise<string> {
  const wanted = parseHubName(target);
  const { repo, revision, file } = wanted;
  const folder = join(options.cacheDir, repo.replace('/', '--'));
  const refPath = join(folder, 'refs', revision);
  const endpoint = (options.endpoint ?? process.env.HF_ENDPOINT ?? 'https://huggingface.co').replace(/\/+$/, '');
  const url = `${endpoint}/${repo}/resolve/${revision}/${file}`;
  let head: Response;
  try {
    // Not followed: the answer itself tells commit, size and hash, wherever the bytes are.
    head = await fetch(url, { method: 'HEAD', redirect: 'manual', headers: authorization() });
  } catch (error) {
    const known = await readFile(refPath, 'utf8').catch(() => undefined);
    const path = known && join(folder, known, file);
    if (path && (await stat(path).catch(() => undefined))) return path;
    throw new UserError(
      `${endpoint} can't be reached: ${causeOf(error)}.`,
      'Check the network, or name a file you have.',
    );
  }
  if (head.status >= 400) throw refused(target, wanted, head.status);
  const commit = head.headers.get('x-repo-commit') ?? revision;
  if (!/^[\w.-]+$/.test(commit)) throw new UserError(`${endpoint} gave an answer that is none of a model hub.`);
  const path = join(folder, commit, file);
  await makeFolder(dirname(path));
  await makeFolder(dirname(refPath));
  if (!(await stat(path).catch(() => undefined))) await download(url, path, head.headers, options);
  await writeAtomic(refPath, commit);
  return path;
}

function authorization(): Record<string, string> {
  const { HF_TOKEN } = process.env;
  return HF_TOKEN ? { authorization: `Bearer ${HF_TOKEN}` } : {};
}

function causeOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: Error };
  return cause?.message ?? message;
}

function refused(target: string, { repo, file }: HubFile, status: number): UserError {
  if (status === 404)
    return new UserError(
      `${target} does not exist: the hub has no ${repo}, or no ${file} in it.`,
      'Name the file if it is called otherwise: hub:owner/name/file.safetensors.',
    );
  if (status === 401 || status === 403)
    return new UserError(`${target} is private, or does not exist.`, 'Set HF_TOKEN to a token that may read it.');
  return new UserError(`The hub refused ${target}: status ${status}.`, 'Try again later.');
}

/** Downloads into `<path>.part`, going on if a part is there, then checks and renames it. */
async function download(url: string, path: string, head: Headers, { onProgress }: HubOptions): Promise<void> {
  const size = Number(head.get('x-linked-size') ?? head.get('content-length') ?? Number.NaN);
  const hash = /^"?([0-9a-f]{64})"?$/.exec(head.get('x-linked-etag') ?? head.get('etag') ?? '')?.[1];
  const part = `${path}.part`;
  let at = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (Number.isFinite(size) && at > size) at = 0;
  if (!(at > 0 && at === size)) {
    const headers = { ...authorization(), ...(at > 0 ? { range: `bytes=${at}-` } : {}) };
    const answer = await fetch(url, { headers }).catch((error: unknown) => {
      throw cutOff(url, causeOf(error));
    });
    if (!answer.ok || !answer.body) throw cutOff(url, `status ${answer.status}`);
    const goesOn = answer.status === 206;
    const out = await open(part, goesOn ? 'a' : 'w');
    let done = goesOn ? at : 0;
    try {
      for await (const chunk of answer.body) {
        await out.writeFile(chunk);
        done += chunk.length;
        if (Number.isFinite(size)) {
          if (done > size) throw new UserError(`${url} sends more than the ${size} bytes it promised.`, 'Try again.');
          onProgress?.(done, size);
        }
      }
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw cutOff(url, causeOf(error));
    } finally {
      await out.close();
    }
  }
  const got = (await stat(part)).size;
  if (Number.isFinite(size) && got !== size) throw cutOff(url, `${got} of ${size} bytes came`);
  if (hash && (await sha256(part)) !== hash) {
    await rm(part, { force: true });
    throw new UserError(`${url} came with other bytes than the hub promised.`, 'Run the command again.');
  }
  await rename(part, path);
}

function cutOff(url: string, why: string): UserError {
  return new UserError(
    `The download of ${url} broke off: ${why}.`,
    'Run the command again; it goes on where it stopped.',
  );
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

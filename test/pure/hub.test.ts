/** Files from a model hub: a local server plays it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { fetchFromHub, parseHubName } from '../../src/checkpoint/hub-node.ts';

const BYTES = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) % 251));
const COMMIT = 'a'.repeat(40);

let server: Server | undefined;
afterEach(() => server?.close());

interface Hub {
  readonly endpoint: string;
  readonly requests: string[];
}

/** A hub with one file; its first `cuts` downloads break off after 100,000 bytes. */
async function hub({ cuts = 0, hash = createHash('sha256').update(BYTES).digest('hex') } = {}): Promise<Hub> {
  const requests: string[] = [];
  let left = cuts;
  server = createServer((request, response) => {
    const { range } = request.headers;
    requests.push(`${request.method} ${request.url}${range ? ` ${range}` : ''}`);
    if (request.url === '/private/model/resolve/main/model.safetensors') return response.writeHead(401).end();
    if (!/^\/owner\/name\/resolve\/(main|v2)\/model\.safetensors$/.test(request.url!))
      return response.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const headers = { 'x-repo-commit': COMMIT, etag: `"${hash}"`, 'content-length': BYTES.length - from };
    response.writeHead(from > 0 ? 206 : 200, headers);
    if (request.method === 'HEAD') return response.end();
    if (left-- > 0) return response.write(BYTES.subarray(from, from + 100_000), () => response.destroy());
    return response.end(BYTES.subarray(from));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const newCache = (): string => mkdtempSync(join(tmpdir(), 'hub-'));

test('a file is fetched once, by commit, and found without the hub afterwards', async () => {
  const { endpoint, requests } = await hub();
  const cacheDir = newCache();
  const path = await fetchFromHub('hub:owner/name', { cacheDir, endpoint });
  expect(path).toBe(join(cacheDir, 'owner--name', COMMIT, 'model.safetensors'));
  expect(readFileSync(path).equals(BYTES)).toBe(true);
  expect(await fetchFromHub('hub:owner/name', { cacheDir, endpoint })).toBe(path);
  expect(requests.filter((line) => line.startsWith('GET'))).toHaveLength(1);
  server!.close();
  expect(await fetchFromHub('hub:owner/name', { cacheDir, endpoint: 'http://127.0.0.1:9' })).toBe(path);
  await expect(fetchFromHub('hub:owner/name@v2', { cacheDir, endpoint: 'http://127.0.0.1:9' })).rejects.toThrow(
    "can't be reached",
  );
});

test('a download that was cut off goes on where it stopped', async () => {
  const { endpoint, requests } = await hub({ cuts: 2 });
  const cacheDir = newCache();
  for (let i = 0; i < 2; i++)
    await expect(fetchFromHub('hub:owner/name', { cacheDir, endpoint })).rejects.toThrow('broke off');
  const path = await fetchFromHub('hub:owner/name', { cacheDir, endpoint });
  expect(readFileSync(path).equals(BYTES)).toBe(true);
  const ranges = requests.flatMap((line) => /bytes=(\d+)/.exec(line)?.[1] ?? []);
  expect(ranges).toHaveLength(2);
  expect(Number(ranges[1])).toBeGreaterThan(Number(ranges[0]));
  expect(existsSync(`${path}.part`)).toBe(false);
});

test('other bytes than promised are thrown away', async () => {
  const { endpoint } = await hub({ hash: 'b'.repeat(64) });
  const cacheDir = newCache();
  await expect(fetchFromHub('hub:owner/name', { cacheDir, endpoint })).rejects.toThrow('other bytes');
  expect(existsSync(join(cacheDir, 'owner--name', COMMIT, 'model.safetensors.part'))).toBe(false);
});

test('what is not there, or not for everyone, is said so', async () => {
  const { endpoint } = await hub();
  const cacheDir = newCache();
  await expect(fetchFromHub('hub:owner/other', { cacheDir, endpoint })).rejects.toThrow('does not exist');
  await expect(fetchFromHub('hub:private/model', { cacheDir, endpoint })).rejects.toThrow('private');
});

test('names are read, and none leads out of the cache', () => {
  expect(parseHubName('hub:timm/mobileone_s0.apple_in1k')).toEqual({
    repo: 'timm/mobileone_s0.apple_in1k',
    revision: 'main',
    file: 'model.safetensors',
  });
  expect(parseHubName('hub:a/b@v1.0/x/y.safetensors')).toEqual({
    repo: 'a/b',
    revision: 'v1.0',
    file: 'x/y.safetensors',
  });
  for (const bad of [
    'hub:',
    'hub:a',
    'hub:../b',
    'hub:a/..',
    'hub:a/b/../c',
    'hub:a/b@../c',
    'hub:a/b//c',
    'hub:a/b?c',
  ])
    expect(() => parseHubName(bad), bad).toThrow('names no model on the hub');
});

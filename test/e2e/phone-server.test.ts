/** The server of the page: what it serves, what it refuses, and that it closes by itself. */
import { X509Certificate } from 'node:crypto';
import { type IncomingHttpHeaders, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { decodeQR } from 'qr/decode.js';
import { describe, expect, it } from 'vitest';
import { describeDevice } from '../../src/bench/device-node.ts';
import { selfSigned } from '../../src/bench/phone/certificate-node.ts';
import type { PhoneFiles } from '../../src/bench/phone/files-node.ts';
import { qrLines } from '../../src/bench/phone/qr-node.ts';
import { lanAddress, type PhoneServer, sameSecret, servePhone } from '../../src/bench/phone/server-node.ts';
import { MODEL_BENCH } from '../../src/bench/protocol.ts';
import { makeSession } from '../../src/bench/results/session.ts';

const FILES: PhoneFiles = new Map([
  ['', new TextEncoder().encode('<!doctype html>')],
  ['kernels/relaxed.wasm', Uint8Array.of(0, 97)],
]);

const session = makeSession({
  model: { name: 's0', hash: '0123456789abcdef', size: 32, batch: 1, macs: 1, parameters: 1 },
  ...{ protocol: MODEL_BENCH, device: describeDevice(), measurements: [] },
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A request as it is given: `path` is not tidied up, as fetch would. */
function ask(
  url: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; certificate?: boolean } = {},
): Promise<Answer> {
  const { protocol, hostname, port } = new URL(url);
  const { method = 'GET', headers = {}, body } = options;
  const send = protocol === 'https:' ? secureRequest : request;
  return new Promise((resolve, reject) => {
    const sent = send({ hostname, port, path, method, headers, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => {
        text += data;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };

async function served<T>(
  use: (server: PhoneServer, path: string, refused: string[]) => Promise<T>,
  lan = false,
): Promise<T> {
  const refused: string[] = [];
  const server = await servePhone({ files: FILES, lan, onRefused: (reason) => refused.push(reason) });
  try {
    return await use(server, new URL(server.url).pathname, refused);
  } finally {
    await server.close();
  }
}

describe('the page server', () => {
  it('binds to this machine alone, and serves its list with the headers of isolation', () =>
    served(async ({ url }, path) => {
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/$/);
      const page = await ask(url, path);
      expect([page.status, page.text]).toEqual([200, '<!doctype html>']);
      expect(page.headers).toMatchObject({
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'content-type': expect.stringContaining('text/html'),
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
      expect((await ask(url, `${path}kernels/relaxed.wasm?x=1`)).headers['content-type']).toBe('application/wasm');
      expect((await ask(url, path, { method: 'HEAD' })).text).toBe('');
      expect((await ask(url, path.slice(0, -1))).headers.location).toBe(path);
    }));

  it('answers nothing without the link, from other sites, outside its list, or by other methods', () =>
    served(async ({ url }, path, refused) => {
      const own = { origin: new URL(url).origin };
      const cases: readonly [string, Parameters<typeof ask>[2], number][] = [
        ['/', {}, 404],
        ['/wrong/', {}, 404],
        [`${path.slice(0, -2)}x/`, {}, 404],
        [`${path}../${path}`, {}, 404],
        [`${path}../../../../etc/passwd`, {}, 404],
        [`${path}kernels/..%2f..%2fpackage.json`, {}, 404],
        [`${path}kernels/%2e%2e/`, {}, 404],
        [`${path}kernels\\..\\x`, {}, 404],
        [`/${path}`, {}, 404],
        [path, { headers: { origin: 'https://evil.example' } }, 403],
        [path, { headers: { origin: 'null' } }, 403],
        [path, { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } }, 403],
        [path, { method: 'POST', headers: JSON_TYPE, body: '{}' }, 405],
        [path, { method: 'DELETE' }, 405],
        [`${path}result`, {}, 405],
        [
          `${path}result`,
          { method: 'POST', headers: { ...JSON_TYPE, origin: 'http://evil.example' }, body: '{}' },
          403,
        ],
        [`${path}result`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' }, 415],
        [`${path}result`, { method: 'POST', headers: { ...JSON_TYPE, ...own }, body: '{"format":1}' }, 400],
        [`${path}result`, { method: 'POST', headers: { ...JSON_TYPE, 'content-length': '2000000' } }, 413],
      ];
      for (const [place, options, status] of cases)
        expect((await ask(url, place, options)).status, `${options?.method ?? 'GET'} ${place}`).toBe(status);
      expect(refused).toHaveLength(cases.length);
      // Too much without saying so: the connection may be cut before an answer.
      const chunked = {
        method: 'POST',
        headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
        body: 'x'.repeat(1.5e6),
      };
      const answer = await ask(url, `${path}result`, chunked).catch(() => undefined);
      expect(answer?.status ?? 413).toBe(413);
      // And after all of that it still takes a result.
      const body = JSON.stringify(session);
      expect((await ask(url, `${path}result`, { method: 'POST', headers: JSON_TYPE, body })).status).toBe(200);
    }));

  it('hands on the first result and closes by itself', () =>
    served(async (server, path) => {
      const body = JSON.stringify(session);
      await ask(server.url, `${path}result`, { method: 'POST', headers: JSON_TYPE, body });
      expect(await server.result).toEqual(session);
      await expect(ask(server.url, path)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|socket/);
    }));

  it('closed without a result, it says so', async () => {
    const server = await servePhone({ files: FILES });
    await server.close();
    await expect(server.result).rejects.toThrow('closed');
  });

  it('in the local network speaks https', () =>
    served(async ({ url, fingerprint }, path) => {
      expect(url).toMatch(/^https:\/\/(?!127)[\d.]+:\d+\//);
      expect((await ask(url, path)).status).toBe(200);
      expect(fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    }, true));
});

it('the certificate is well formed, signs itself, and is for the address and a few days only', () => {
  const { cert, fingerprint } = selfSigned('192.168.1.20', new Date('2026-11-29T12:00:00Z'));
  const read = new X509Certificate(cert);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkIP('192.168.1.20')).toBe('192.168.1.20');
  expect(read.checkIP('192.168.1.21')).toBeUndefined();
  expect([read.validFrom, read.validTo]).toEqual(['Nov 28 12:00:00 2026 GMT', 'Dec  6 12:00:00 2026 GMT']);
  expect(read.fingerprint256).toBe(fingerprint);
  expect(read.subject).toBe('CN=mobileone bench');
  expect(selfSigned('10.0.0.1').cert).not.toBe(cert);
});

it('the address in the local network is that of a real card', () => {
  const card = (address: string, internal = false) => [
    { address, internal, family: 'IPv4' as const, netmask: '', mac: '', cidr: null },
  ];
  const interfaces = { lo: card('127.0.0.1', true), docker0: card('172.17.0.1'), wlan0: card('192.168.1.5') };
  expect(lanAddress(interfaces)).toBe('192.168.1.5');
  expect(lanAddress({ eth0: card('8.8.4.4'), wlan0: card('10.1.1.1') })).toBe('10.1.1.1');
  expect(() => lanAddress({ lo: card('127.0.0.1', true) })).toThrow(/in no local network/);
});

it('secrets are compared whole', () => {
  expect(sameSecret('abc', 'abc')).toBe(true);
  expect([sameSecret('abd', 'abc'), sameSecret('', 'abc'), sameSecret('abcd', 'abc')]).toEqual([false, false, false]);
});

it('the QR code in the terminal reads as the link, with colors and without', async () => {
  const url = 'https://192.168.178.123:43567/aZ09-_aZ09-_aZ09-_aZ09/';
  for (const colors of [true, false]) {
    const lines = (await qrLines(url, colors)).map((line) => line.replaceAll(/\x1b\[[\d;]*m/g, ''));
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(50);
    // A picture of eight pixels a square, as a camera would see it.
    const [width, height] = [lines[0]!.length, 2 * lines.length];
    const scale = 8;
    const data = new Uint8Array(width * height * scale * scale * 4).fill(255);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const half = lines[y >> 1]![x]!;
        const drawn = half === '█' || half === (y % 2 === 0 ? '▀' : '▄');
        if (drawn !== colors) continue;
        for (let py = 0; py < scale; py++)
          for (let px = 0; px < scale; px++)
            data.fill(
              0,
              4 * ((y * scale + py) * width * scale + x * scale + px),
              4 * ((y * scale + py) * width * scale + x * scale + px) + 3,
            );
      }
    expect(decodeQR({ width: width * scale, height: height * scale, data })).toBe(url);
  }
});

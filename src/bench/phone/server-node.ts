/** Serves the page and takes one result. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { UserError } from '../../core/errors.ts';
import { parseSession, type Session } from '../results/session.ts';
import { selfSigned } from './certificate-node.ts';
import { fileBytes, type PhoneFiles } from './files-node.ts';
import { FILES } from './setup.ts';

/** A result is some tens of kilobytes. */
const MOST_BYTES = 1 << 20;
const BODY_MS = 20_000;

const TYPES: Readonly<Record<string, string>> = {
  '': 'text/html; charset=utf-8',
  js: 'text/javascript',
  mjs: 'text/javascript',
  json: 'application/json',
  wasm: 'application/wasm',
};

/** Sent with every answer: isolation (threads), and that the page loads nothing from elsewhere and is shown nowhere else. */
const HEADERS: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self' blob: 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "connect-src 'self' blob: data:",
    "style-src 'unsafe-inline'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function sameSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/** This machine's address in the local network: IPv4, private ranges and real cards first. Throws a UserError if there is none. */
export function lanAddress(interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()): string {
  const found = Object.entries(interfaces).flatMap(([name, entries = []]) =>
    entries
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => {
        const virtual = /^(docker|veth|br-|virbr|vmnet|vboxnet|utun|tun|tap|zt)/.test(name) ? 2 : 0;
        const local = /^(192\.168|10|172\.(1[6-9]|2\d|3[01]))\./.test(address) ? 0 : 1;
        return { address, rank: virtual + local };
      }),
  );
  const best = found.sort((a, b) => a.rank - b.rank)[0];
  if (best) return best.address;
  throw new UserError(
    'This machine is in no local network (no IPv4 address but its own).',
    'Join the Wi-Fi that the phone is in, or leave --lan out and connect the phone by USB.',
  );
}

export interface PhoneServer {
  /** The link, token included. */
  readonly url: string;
  readonly port: number;
  /** SHA-256 of the certificate, in the local network. */
  readonly fingerprint?: string;
  /** The first result that was posted; rejects when the server is closed before. */
  readonly result: Promise<Session>;
  close(): Promise<void>;
}

export interface ServeOptions {
  readonly files: PhoneFiles;
  /** Serve the local network by https; default: this machine alone. */
  readonly lan?: boolean;
  /** Hears of refused requests and results that can't be read. */
  readonly onRefused?: (reason: string) => void;
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) throw new Refusal(415, 'results are JSON');
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) throw new Refusal(413, 'the result is too large');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Refusal(413, 'the result is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Starts the server; it closes by itself once it has a result. */
export async function servePhone({ files, lan = false, onRefused = () => {} }: ServeOptions): Promise<PhoneServer> {
  const token = randomBytes(16).toString('base64url');
  const host = lan ? lanAddress() : '127.0.0.1';
  const certificate = lan ? selfSigned(host) : undefined;
  let settle: { resolve: (session: Session) => void; reject: (error: Error) => void } | undefined;
  const result = new Promise<Session>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever does not wait for it should not be ended by it.
  result.catch(() => undefined);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { origin, host: named = '' } = request.headers;
    const own = `${lan ? 'https' : 'http'}://${named}`;
    if (origin !== undefined && origin !== own) throw new Refusal(403, 'the request comes from another site');
    if (request.headers['sec-fetch-site'] === 'cross-site' && request.headers['sec-fetch-mode'] !== 'navigate')
      throw new Refusal(403, 'the request comes from another site');
    const path = (request.url ?? '/').split(/[?#]/)[0]!;
    const [, given = '', ...rest] = path.split('/');
    if (!sameSecret(given, token)) throw new Refusal(404, 'there is nothing here without the link');
    if (rest.length === 0) {
      // Addresses on the page are relative to the slash.
      response.writeHead(308, { ...HEADERS, location: `/${token}/` }).end();
      return;
    }
    const name = rest.join('/');
    if (name === FILES.result) {
      if (request.method !== 'POST') throw new Refusal(405, 'results are posted');
      const session = parseSession(await readBody(request));
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/plain', connection: 'close' });
      response.end('thanks', () => {
        settle!.resolve(session);
        void close();
      });
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(405, 'files are read');
    // Only names of the list are served, so no path can lead out of it.
    const file = files.get(name);
    if (!file) throw new Refusal(404, 'there is no such file');
    const bytes = await fileBytes(file);
    const type = TYPES[name === '' ? '' : name.split('.').at(-1)!] ?? 'application/octet-stream';
    response.writeHead(200, { ...HEADERS, 'content-type': type, 'content-length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch((error: Error) => {
      const status = error instanceof Refusal ? error.status : error instanceof UserError ? 400 : 500;
      onRefused(`${request.method} ${status}: ${error.message}`);
      // What is left of a body is not read.
      if (!response.headersSent)
        response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain', connection: 'close' });
      response.end(error.message);
    });
  };
  const limits = { requestTimeout: BODY_MS, headersTimeout: BODY_MS, maxHeaderSize: 16_384 };
  const server: Server = certificate
    ? createSecureServer({ key: certificate.key, cert: certificate.cert, ...limits }, listener)
    : createServer(limits, listener);
  const close = async (): Promise<void> => {
    settle!.reject(new Error('the server was closed'));
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
      // Connections that a browser keeps open would hold the process.
      setTimeout(() => server.closeAllConnections(), 500).unref();
    });
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${lan ? 'https' : 'http'}://${host}:${port}/${token}/`,
    port,
    ...(certificate ? { fingerprint: certificate.fingerprint } : {}),
    result,
    close,
  };
}

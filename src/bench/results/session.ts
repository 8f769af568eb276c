/** One sitting of measuring: what the command line, a phone's page and a file to import have in common. */
import { UserError } from '../../core/errors.ts';
import type { Device } from '../device.ts';
import type { Measurement } from '../measure.ts';
import type { Protocol } from '../protocol.ts';
import type { Soak } from '../soak.ts';

/** What was measured. */
export interface MeasuredModel {
  /** As the user called it. */
  readonly name: string;
  /** Begin of the sha256 of its weights. */
  readonly hash: string;
  /** Side of the image in pixels, and images a run. */
  readonly size: number;
  readonly batch: number;
  /** Of the fused form, for one image. */
  readonly macs: number;
  readonly parameters: number;
}

export interface Session {
  readonly format: 'mobileone-bench';
  readonly version: 1;
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** When it was finished, ISO 8601 in UTC. */
  readonly time: string;
  readonly model: MeasuredModel;
  readonly protocol: Protocol;
  readonly device: Device;
  readonly measurements: readonly Measurement[];
  readonly soaks: readonly Soak[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

/** Random digits, two for each byte. */
export function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Puts a session together, now. */
export function makeSession(
  parts: Pick<Session, 'model' | 'protocol' | 'device' | 'measurements'> & Partial<Pick<Session, 'soaks' | 'notes'>>,
): Session {
  const head = { format: 'mobileone-bench', version: 1, id: randomHex(8), time: new Date().toISOString() } as const;
  return { ...head, soaks: [], notes: [], ...parts };
}

type Check = (value: unknown, path: string) => void;

const fail = (path: string, wanted: string): never => {
  throw new UserError(
    `This is not a result of mobileone bench: ${path} is not ${wanted}.`,
    'Take the file (or page) as it was made; it may have been cut off or changed.',
  );
};
const LONGEST_TEXT = 400;
const LONGEST_LIST = 2000;

const text: Check = (value, path) => {
  if (typeof value !== 'string' || value.length > LONGEST_TEXT)
    fail(path, `a text of at most ${LONGEST_TEXT} characters`);
  // Control characters would move the cursor of the terminal they are printed on.
  if (/\p{Cc}/u.test(value as string)) fail(path, 'plain text');
};
const number: Check = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) fail(path, 'a number of at least 0');
};
const matching =
  (pattern: RegExp): Check =>
  (value, path) => {
    text(value, path);
    if (!pattern.test(value as string)) fail(path, `of the form ${pattern.source}`);
  };
const list =
  (check: Check, least = 0): Check =>
  (value, path) => {
    if (!Array.isArray(value) || value.length < least || value.length > LONGEST_LIST) return fail(path, 'a list');
    for (const [i, item] of value.entries()) check(item, `${path}[${i}]`);
  };
const optional =
  (check: Check): Check =>
  (value, path) => {
    if (value !== undefined) check(value, path);
  };
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(path, 'an object');
    for (const name of Object.keys(value)) if (!fields[name]) fail(`${path}.${name}`, 'a known field');
    for (const [name, check] of Object.entries(fields))
      check((value as Record<string, unknown>)[name], `${path}.${name}`);
  };

const HASH = matching(/^[0-9a-f]{8,64}$/);
const RUN = { name: text, key: matching(/^[a-z0-9-]{1,40}$/), runtime: text, settings: text, threads: number };

const SESSION = object({
  format: matching(/^mobileone-bench$/),
  version: (value, path) => {
    if (value !== 1) fail(path, '1 (a newer mobileone wrote it: update yours)');
  },
  id: matching(/^[0-9a-f]{16}$/),
  time: matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  model: object({ name: text, hash: HASH, size: number, batch: number, macs: number, parameters: number }),
  protocol: object({ warmup: number, rounds: number, runsPerRound: number, trim: number }),
  device: object({
    ...{ cpu: text, cores: number, memoryGigabytes: number, system: text, host: text, mobileone: text },
    ...{ node: optional(text), v8: optional(text), gpu: optional(text), features: list(text) },
    ...{ machine: HASH, fingerprint: HASH },
  }),
  measurements: list(
    object({
      ...RUN,
      ...{ load: number, compile: number, coldStart: number, firstRun: number, difference: optional(number) },
      ...{ mean: number, minimum: number, median: number, interval: list(number, 2), runs: number },
      ...{ roundMeans: list(number, 1), protocol: HASH, noise: list(text) },
    }),
  ),
  soaks: list(
    object({
      ...RUN,
      ...{ seconds: number, windowSeconds: number },
      windows: list(object({ from: number, to: number, runs: number, mean: number, median: number, minimum: number })),
    }),
  ),
  notes: list(text),
});

/** Reads a session that came from elsewhere; every field is checked. Throws a UserError that names the first wrong one. */
export function parseSession(json: string): Session {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return fail('the text', 'JSON');
  }
  SESSION(value, 'result');
  return value as Session;
}

/**
 * A self-signed certificate for a few days (X.509 v3, RFC 5280, written as DER): browsers give threads, WebGPU and WebNN to pages by
 * https only, and nobody else can vouch for an address of a local network.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const TAG = { integer: 2, bits: 3, octets: 4, oid: 6, utf8: 12, time: 24, sequence: 48, set: 49 } as const;

/** One DER value: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size: number[] = [];
  for (let rest = body.length; rest > 0; rest >>>= 8) size.unshift(rest & 255);
  const length = body.length < 128 ? [body.length] : [128 | size.length, ...size];
  return Buffer.concat([Uint8Array.from([tag, ...length]), body]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((arc) => {
    const groups = [arc & 127];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift(128 | (left & 127));
    return groups;
  });
  return der(TAG.oid, Uint8Array.from([40 * first + second, ...bytes]));
}

const sequence = (...content: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...content);
const time = (date: Date): Buffer =>
  der(TAG.time, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));
const bits = (content: Uint8Array): Buffer => der(TAG.bits, Uint8Array.of(0), content);
const extension = (name: string, value: Uint8Array): Buffer => sequence(oid(name), der(TAG.octets, value));

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const SUBJECT_ALT_NAME = '2.5.29.17';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const DAY = 24 * 3600_000;

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** SHA-256 of the certificate, as browsers show it. */
  readonly fingerprint: string;
}

/** Makes a certificate for an IPv4 address, valid from yesterday for eight days; its key is new each time. */
export function selfSigned(address: string, now: Date = new Date()): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(der(TAG.set, sequence(oid(COMMON_NAME), der(TAG.utf8, Buffer.from('mobileone bench')))));
  const algorithm = sequence(oid(ECDSA_SHA256));
  const from = new Date(now.getTime() - DAY);
  const until = new Date(now.getTime() + 7 * DAY);
  const serial = randomBytes(16);
  // A positive number that needs no leading zero.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  // General names: 0x87 is an IP address.
  const names = sequence(der(0x87, Uint8Array.from(address.split('.').map(Number))));
  const extensions = sequence(
    extension(SUBJECT_ALT_NAME, names),
    extension(EXTENDED_KEY_USAGE, sequence(oid(SERVER_AUTH))),
  );
  const body = sequence(
    der(0xa0, der(TAG.integer, Uint8Array.of(2))),
    der(TAG.integer, serial),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const whole = sequence(body, algorithm, bits(sign('sha256', body, privateKey)));
  const lines = whole.toString('base64').match(/.{1,64}/g)!;
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: createHash('sha256').update(whole).digest('hex').toUpperCase().match(/../g)!.join(':'),
  };
}

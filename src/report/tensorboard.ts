/**
 * TensorBoard's event files: TFRecord frames (length, its checksum, data, its checksum; CRC-32C, masked) around `Event`
 * messages in protobuf's wire format (tensorflow/core/util/event.proto).
 */

/** Numbers at a step, by tag. */
export interface Scalars {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/** The record that every file begins with. */
export function versionRecord(time: number): Uint8Array<ArrayBuffer> {
  return frame(message([double(1, time), bytes(3, text('brain.Event:2'))]));
}

/** Says that a run goes on at a step: TensorBoard then forgets what earlier files say of this step and later ones. */
export function restartRecord(time: number, step: number): Uint8Array<ArrayBuffer> {
  const started = message([varint(1, 1)]);
  return frame(message([double(1, time), varint(2, step), bytes(7, started)]));
}

/** Scalars as one record. */
export function scalarRecord({ time, step, values }: Scalars): Uint8Array<ArrayBuffer> {
  const summary = message(
    Object.entries(values).map(([tag, value]) => bytes(1, message([bytes(1, text(tag)), float(2, value)]))),
  );
  return frame(message([double(1, time), varint(2, step), bytes(5, summary)]));
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function message(fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const field of fields) {
    out.set(field, at);
    at += field.length;
  }
  return out;
}

/** Base-128 digits of a whole number, the lowest first. */
function digits(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return [...out, rest];
}

function varint(field: number, value: number): Uint8Array {
  return Uint8Array.from([field << 3, ...digits(value)]);
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return message([Uint8Array.from([(field << 3) | 2, ...digits(value.length)]), value]);
}

function double(field: number, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(9));
  view.setUint8(0, (field << 3) | 1);
  view.setFloat64(1, value, true);
  return new Uint8Array(view.buffer);
}

function float(field: number, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(5));
  view.setUint8(0, (field << 3) | 5);
  view.setFloat32(1, value, true);
  return new Uint8Array(view.buffer);
}

function frame(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length, true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli). */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Rotated and shifted, as TFRecord keeps checksums of data that may hold checksums. */
export function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

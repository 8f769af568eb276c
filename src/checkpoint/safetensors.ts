/**
 * The safetensors format (huggingface.co/docs/safetensors): 8 bytes of header length, a JSON header, then raw
 * little-endian data without holes. Reading trusts nothing: a file that breaks a rule is a UserError.
 */
import { asSource, type ByteSource } from '../core/byte-source.ts';
import { UserError } from '../core/errors.ts';
import { toFloat16 } from '../core/float16.ts';
import {
  type DType,
  dtypeOf,
  type Shape,
  type StateDict,
  sizeOf,
  type Tensor,
  type TensorData,
} from '../core/tensor.ts';
import { bytesPer, type Element, isElement, readElements, writeBytes } from './elements.ts';
import { readAll, type StoredTensors } from './stored.ts';

/** The format's own limit on the JSON header. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA = '__metadata__';

const ELEMENT_OF: Readonly<Record<DType, Element>> = { float64: 'F64', float32: 'F32', int32: 'I32', uint8: 'U8' };

interface Entry {
  readonly name: string;
  readonly dtype: Element;
  readonly shape: Shape;
  readonly start: number;
  readonly end: number;
}

/** Which element types are written, where they are not those of the tensors. */
export interface StoredElements {
  /** `F16` rounds float32 to half precision. */
  readonly floats?: 'F32' | 'F16';
  /** Names of integers that are written as I64, as PyTorch's step counters are. */
  readonly int64?: ReadonlySet<string>;
}

interface Stored {
  readonly element: Element;
  readonly shape: Shape;
  readonly data: TensorData | Uint16Array | BigInt64Array;
}

function asStored(name: string, tensor: Tensor, { floats, int64 }: StoredElements): Stored {
  const { shape, data } = tensor;
  if (int64?.has(name)) return { shape, data: BigInt64Array.from(data, BigInt), element: 'I64' };
  if (floats !== 'F16' || !(data instanceof Float32Array)) return { shape, data, element: ELEMENT_OF[dtypeOf(tensor)] };
  const halves = toFloat16(data);
  if (halves.some((half) => (half & 0x7c00) === 0x7c00))
    throw new UserError(
      `${quote(name)} has values beyond 65504, which half precision does not hold.`,
      'Write the file in fp32.',
    );
  return { shape, data: halves, element: 'F16' };
}

/**
 * Writes tensors as one safetensors file: the header padded to 8 bytes, biggest element type first and then by name,
 * so that all data is aligned and the same state always gives the same bytes. Throws a UserError for a value that half
 * precision does not hold.
 */
export function encodeSafetensors(
  tensors: StateDict,
  metadata: Readonly<Record<string, string>> = {},
  elements: StoredElements = {},
): Uint8Array {
  const ordered = [...tensors]
    .map(([name, value]) => ({ name, ...asStored(name, value, elements) }))
    .sort((a, b) => bytesPer(b.element) - bytesPer(a.element) || (a.name < b.name ? -1 : 1));
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  let end = 0;
  for (const { name, shape, data, element } of ordered) {
    if (name === METADATA) throw new TypeError(`a tensor cannot be named ${METADATA}`);
    const start = end;
    end += data.byteLength;
    header.push([name, { dtype: element, shape, data_offsets: [start, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const dataStart = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(dataStart + end).fill(0x20, 8, dataStart);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  bytes.set(json, 8);
  let offset = dataStart;
  for (const { data } of ordered) {
    writeBytes(bytes, offset, data);
    offset += data.byteLength;
  }
  return bytes;
}

/** Reads the header of a safetensors file; throws a UserError for anything that is not a complete, consistent file. */
export function openSafetensors(source: ByteSource): {
  tensors: StoredTensors;
  metadata: Record<string, string>;
} {
  const { header, dataStart } = readHeader(source);
  const metadata = readMetadata(header[METADATA]);
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => readEntry(name, value));
  checkLayout(entries, source.size - dataStart);
  const tensors = entries.map(({ name, dtype, shape, start, end }) => {
    const read = (): Tensor => {
      const data = readElements(source.read(dataStart + start, end - start), dtype);
      if (!data) throw broken(`tensor ${quote(name)} holds integers beyond 32 bits`);
      return { shape, data };
    };
    return [name, { shape, element: dtype, read }] as const;
  });
  return { tensors: new Map(tensors), metadata };
}

/**
 * Reads a safetensors file. F16 and BF16 become float32, and I64 and the small integers int32; float32, float64,
 * int32 and uint8 stay as they are. Throws a UserError for anything that is not a complete, consistent file.
 */
export function decodeSafetensors(file: Uint8Array | ByteSource): {
  tensors: StateDict;
  metadata: Record<string, string>;
} {
  const { tensors, metadata } = openSafetensors(asSource(file));
  return { tensors: readAll(tensors), metadata };
}

/** Reads only the metadata of a safetensors file. */
export function readSafetensorsMetadata(file: Uint8Array | ByteSource): Record<string, string> {
  return readMetadata(readHeader(asSource(file)).header[METADATA]);
}

function broken(what: string): UserError {
  return new UserError(
    `This is not a readable safetensors file: ${what}.`,
    'It may be damaged, cut off or of another format. Copy or download it again, or name another file.',
  );
}

/** A name for a message, cut to a readable length. */
function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

function readHeader(source: ByteSource): { header: Record<string, unknown>; dataStart: number } {
  if (source.size < 8) throw broken(`it has only ${source.size} bytes`);
  const length = new DataView(source.read(0, 8).buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw broken(`it claims a header of ${length} bytes`);
  const dataStart = 8 + Number(length);
  if (dataStart > source.size) {
    throw broken(`the header should have ${length} bytes, but the file ends after ${source.size - 8}`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(source.read(8, Number(length))));
  } catch {
    throw broken('its header is not JSON');
  }
  if (!isRecord(header)) throw broken('its header is not a JSON object');
  return { header, dataStart };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw broken(`its ${METADATA} is not a table of texts`);
  }
  return value as Record<string, string>;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readEntry(name: string, value: unknown): Entry {
  const where = `tensor ${quote(name)}`;
  if (!isRecord(value)) throw broken(`${where} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isElement(dtype)) throw broken(`${where} has the unknown dtype ${quote(String(dtype))}`);
  if (!Array.isArray(shape) || !shape.every(isCount)) throw broken(`${where} has no valid shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw broken(`${where} has no valid data_offsets`);
  }
  const [start, end] = offsets as [number, number];
  return { name, dtype, shape, start, end };
}

/** Checks that the tensors, in order of their offsets, fill the data exactly: none outside, none overlapping, no holes. */
function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  let filled = 0;
  for (const { name, dtype, shape, start, end } of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const where = `tensor ${quote(name)}`;
    if (end > dataBytes) throw broken(`${where} ends at byte ${end}, but there are only ${dataBytes} bytes of data`);
    if (start !== filled) throw broken(`${where} ${start < filled ? 'overlaps another' : 'comes after a hole'}`);
    const needed = sizeOf(shape) * bytesPer(dtype);
    if (end - start !== needed) throw broken(`${where} needs ${needed} bytes for its shape, and has ${end - start}`);
    filled = end;
  }
  if (filled !== dataBytes) throw broken(`${dataBytes - filled} bytes at its end belong to no tensor`);
}

/** Files inside a TFLite file: a zip archive behind the model, stored and not deflated, as TensorFlow's tools pack them. */

/** CRC-32 of bytes, as zip has it. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A record: numbers of 2 or 4 bytes, little-endian. */
function record(...fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

/** January 1, 1980, the first day of zip's calendar: the same files give the same bytes. */
const DATE = (1 << 5) | 1;

/** Appends an archive of files to bytes; its places count from the first byte of these. */
export function appendFiles(bytes: Uint8Array, files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const chunks: Uint8Array[] = [bytes];
  const directory: Uint8Array[] = [];
  const lengthOf = (list: readonly Uint8Array[]): number => list.reduce((sum, { length }) => sum + length, 0);
  for (const [path, data] of Object.entries(files)) {
    const name = new TextEncoder().encode(path);
    const place = lengthOf(chunks);
    // Version 2.0, names in UTF-8, stored.
    const common = record(
      ...([20, 0x800, 0, 0, DATE] as const).map((value) => [2, value] as const),
      ...[crc32(data), data.length, data.length].map((value) => [4, value] as const),
      ...[name.length, 0].map((value) => [2, value] as const),
    );
    chunks.push(record([4, 0x04034b50]), common, name, data);
    const rest = record([2, 0], [2, 0], [2, 0], [4, 0], [4, place]);
    directory.push(record([4, 0x02014b50], [2, 20]), common, rest, name);
  }
  const count = Object.keys(files).length;
  const [start, size] = [lengthOf(chunks), lengthOf(directory)];
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, start], [2, 0]);
  return join([...chunks, ...directory, end]);
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Writes zip, tar and parquet files for tests, right ones and, by their options, wrong ones. */
import { crc32, deflateRawSync } from 'node:zlib';
import type { CompressionCodec, SchemaElement } from 'hyparquet';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';

export type Files = readonly (readonly [name: string, bytes: Uint8Array])[];

export interface ZipOptions {
  readonly stored?: boolean;
  /** Write the sizes and places of files as zip64 does. */
  readonly wide?: boolean;
  /** Bytes claimed for the inflated files. */
  readonly claim?: number;
  readonly flags?: number;
  readonly method?: number;
  /** All entries name the bytes of the first. */
  readonly overlap?: boolean;
  readonly comment?: string;
}

export function zip(files: Files, options: ZipOptions = {}): Buffer {
  const { stored = false, wide = false, flags = 0x800, overlap = false, comment = '' } = options;
  const method = options.method ?? (stored ? 0 : 8);
  const chunks: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const data = stored ? Buffer.from(bytes) : deflateRawSync(bytes);
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(45, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(wide ? 0xffffffff : data.length, 14);
    common.writeUInt32LE(wide ? 0xffffffff : (options.claim ?? bytes.length), 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const place = overlap ? 0 : offset;
    const extra = Buffer.alloc(wide ? 28 : 0);
    if (wide) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(bytes.length), 4);
      extra.writeBigUInt64LE(BigInt(data.length), 12);
      extra.writeBigUInt64LE(BigInt(place), 20);
    }
    common.writeUInt16LE(extra.length, 24);
    const end = Buffer.alloc(14);
    end.writeUInt32LE(wide ? 0xffffffff : place, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, end, nameBytes, extra);
    const local = [Buffer.from('PK\x03\x04'), common, nameBytes, extra, data];
    chunks.push(...local);
    offset += local.reduce((sum, { length }) => sum + length, 0);
  }
  const table = Buffer.concat(directory);
  const tail: Buffer[] = [];
  if (wide) {
    const end64 = Buffer.alloc(56);
    end64.write('PK\x06\x06', 'latin1');
    end64.writeBigUInt64LE(BigInt(files.length), 32);
    end64.writeBigUInt64LE(BigInt(table.length), 40);
    end64.writeBigUInt64LE(BigInt(offset), 48);
    const locator = Buffer.alloc(20);
    locator.write('PK\x06\x07', 'latin1');
    locator.writeBigUInt64LE(BigInt(offset + table.length), 8);
    tail.push(end64, locator);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(wide ? 0xffff : files.length, 10);
  end.writeUInt32LE(wide ? 0xffffffff : table.length, 12);
  end.writeUInt32LE(wide ? 0xffffffff : offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...chunks, table, ...tail, end, Buffer.from(comment)]);
}

/** A tar header; `size` may be given as written. */
export function tarHeader(name: string, size: number | string, type = '0', prefix = ''): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(typeof size === 'string' ? size : `${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  header.write(type, 156);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(prefix, 345, 155);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);

export type TarNames = 'ustar' | 'gnu' | 'pax';

export function tar(files: Files, names: TarNames = 'ustar'): Buffer {
  const chunks = files.flatMap(([name, bytes]) => {
    const cut = name.lastIndexOf('/');
    if (names === 'ustar')
      return [tarHeader(name.slice(cut + 1), bytes.length, '0', name.slice(0, Math.max(0, cut))), padded(bytes)];
    const own = [tarHeader('shortened', bytes.length), padded(bytes)];
    if (names === 'gnu') {
      const long = Buffer.from(`${name}\0`);
      return [tarHeader('././@LongLink', long.length, 'L'), padded(long), ...own];
    }
    const body = ` path=${name}\n`;
    let length = Buffer.byteLength(body);
    while (String(length).length + Buffer.byteLength(body) !== length)
      length = String(length).length + Buffer.byteLength(body);
    const record = Buffer.from(`${length}${body}`);
    return [tarHeader('PaxHeaders/x', record.length, 'x'), padded(record), ...own];
  });
  return Buffer.concat([...chunks, Buffer.alloc(1024)]);
}

export interface Row {
  readonly image: Uint8Array;
  /** A number, a name, or several numbers. */
  readonly label: number | string | readonly number[];
}

/** A parquet file as Hugging Face's `datasets` writes it: image {bytes, path}, and labels that are class numbers. */
export function parquet(rows: readonly Row[], classes?: readonly string[], codec: CompressionCodec = 'SNAPPY'): Buffer {
  const first = rows[0]!.label;
  const leaf = (name: string): SchemaElement[] =>
    typeof first === 'string'
      ? [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }]
      : [{ name, type: 'INT64', repetition_type: 'OPTIONAL' }];
  const many = Array.isArray(first);
  const label = many ? 'labels' : 'label';
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 2 },
    { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ...(many
      ? ([
          { name: label, num_children: 1, converted_type: 'LIST', repetition_type: 'OPTIONAL' },
          { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
          ...leaf('element'),
        ] as SchemaElement[])
      : leaf(label)),
  ];
  const value = (one: number | string): bigint | string => (typeof one === 'number' ? BigInt(one) : one);
  const classLabel = { names: classes, _type: 'ClassLabel' };
  const features = { image: { _type: 'Image' }, [label]: many ? { feature: classLabel, _type: 'List' } : classLabel };
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    columnData: [
      { name: 'image', data: rows.map(({ image }, i) => ({ bytes: image, path: `${i}.jpg` })) },
      {
        name: label,
        data: rows.map(({ label: one }) => (Array.isArray(one) ? one.map(value) : value(one as number | string))),
      },
    ],
    schema,
    codec,
    rowGroupSize: 3,
    ...(classes ? { kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }] } : {}),
  });
  return Buffer.from(writer.getBytes());
}

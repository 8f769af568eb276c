/** TFLite files, read without a runtime: what they say of themselves, and what becomes of damaged and hostile ones. */
import { Builder } from 'flatbuffers';
import { expect, test } from 'vitest';
import { encodeTable, type TableValue } from '../../src/engine/tflite/flatbuffer.ts';
import { decodeTable } from '../../src/engine/tflite/read-flatbuffer.ts';
import { MODEL_SCHEMA } from '../../src/engine/tflite/schema.ts';
import { toTflite } from '../../src/engine/tflite/to-tflite.ts';
import { describeTflite } from '../../src/export/tflite/describe.ts';
import { METADATA_SCHEMA } from '../../src/export/tflite/metadata-schema.ts';
import { exportTflite } from '../../src/export/tflite/write.ts';
import { appendFiles } from '../../src/export/tflite/zip.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { zip } from '../e2e/archives.ts';
import { describeDamaged, SMALL, smallFile } from './tflite-files.ts';

interface Model extends TableValue {
  readonly buffers: readonly { readonly data?: Uint8Array }[];
  readonly metadata: readonly { readonly name: string; readonly buffer: number }[];
}

const entry = (bytes: Uint8Array, name: string): Uint8Array => {
  const { buffers, metadata } = decodeTable(MODEL_SCHEMA, bytes) as unknown as Model;
  return buffers[metadata.find((one) => one.name === name)!.buffer]!.data!;
};

/** The metadata's only input and output. */
function tensorsOf(bytes: Uint8Array): TableValue[] {
  const { subgraph_metadata } = decodeTable(METADATA_SCHEMA, entry(bytes, 'TFLITE_METADATA')) as unknown as {
    subgraph_metadata: { input_tensor_metadata: TableValue[]; output_tensor_metadata: TableValue[] }[];
  };
  const [{ input_tensor_metadata, output_tensor_metadata }] = subgraph_metadata as [(typeof subgraph_metadata)[number]];
  return [...input_tensor_metadata, ...output_tensor_metadata];
}

test('the metadata says what the input is, and where the labels are', async () => {
  const [image, logits] = tensorsOf(await smallFile());
  expect(image).toMatchObject({
    name: 'image',
    description: expect.stringMatching(/uint8 RGB \[1, 32, 32, 3\].*short side to 35 px.*32 × 32 center/),
    content: {
      content_properties: {
        table: 'ImageProperties',
        value: { color_space: 1, default_size: { width: 32, height: 32 } },
      },
    },
    process_units: [{ options: { table: 'NormalizationOptions', value: { mean: [0], std: [1] } } }],
    stats: { min: [0], max: [255] },
  });
  expect(logits).toMatchObject({ name: 'logits', associated_files: [{ name: 'labels.txt', type: 2 }] });
});

test('normalization that is left outside is told channel by channel, in units of bytes', async () => {
  const { files, main } = await exportTflite(SMALL, { preprocessing: false });
  const [input] = tensorsOf(files.get(main)!) as unknown as {
    name: string;
    process_units: { options: { value: { mean: number[]; std: number[] } } }[];
    stats: { min: number[]; max: number[] };
  }[];
  expect(input!.name).toBe('input');
  const { mean, std } = input!.process_units[0]!.options.value;
  expect([mean, std].map((values) => values.map(Math.round))).toEqual([
    [128, 102, 77],
    [51, 51, 51],
  ]);
  expect(input!.stats.min[1]).toBeCloseTo(-0.4 / 0.2, 5);
  expect(input!.stats.max[2]).toBeCloseTo(0.7 / 0.2, 5);
});

test('labels are packed as a zip archive whose places count from the first byte', () => {
  const files = { 'labels.txt': new TextEncoder().encode('Käfer\nbee\n'), 'empty.bin': new Uint8Array() };
  const packed = appendFiles(new Uint8Array(), files);
  const theirs = new Uint8Array(zip(Object.entries(files), { stored: true }));
  // The other writer names another version and no date.
  expect(packed.length).toBe(theirs.length);
  expect(packed.slice(14, 30)).toEqual(theirs.slice(14, 30));
  const end = new DataView(packed.buffer, packed.length - 22);
  expect([end.getUint16(10, true), end.getUint32(16, true)]).toEqual([2, packed.length - 22 - end.getUint32(12, true)]);
});

test('only what mobileone wrote and nobody changed is opened', async () => {
  const file = await smallFile();
  expect(describeTflite(file)).toEqual({
    form: 'fused',
    classes: SMALL.classes,
    preprocessing: SMALL.preprocessing,
    normalizes: true,
  });
  expect(() => describeTflite(new Uint8Array(3))).toThrow(/no TFL3 file/);
  expect(() => describeTflite(file.slice(0, 300))).toThrow(/damaged or cut off/);
  const { graph, state } = fuse(SMALL.graph, SMALL.state);
  const dims = { N: 1, H: 32, W: 32 };
  expect(() => describeTflite(new Uint8Array())).toThrow(/no TFL3 file/);
  const foreign = await toTflite(graph, state, { dims });
  expect(() => describeTflite(foreign)).toThrow(/doesn't say which classes/);
  const described = JSON.parse(new TextDecoder().decode(entry(file, 'mobileone')));
  const wrong: [object | null, RegExp][] = [
    [null, /doesn't say which classes/],
    [{ ...described, labels: ['cat'] }, /names 1 of 2 classes/],
    [{ ...described, preprocessing: null }, /preprocessing needs/],
    [{ ...described, config: undefined }, /config needs/],
    [{ ...described, preprocessing: { ...described.preprocessing, size: 64 } }, /takes other images/],
    [{ ...described, labels: ['a', 'b', 'c'], config: { ...described.config, num_classes: 3 } }, /gives other logits/],
  ];
  for (const [description, message] of wrong) {
    const metadata = { mobileone: JSON.stringify(description) };
    const bytes = await toTflite(graph, state, { dims, metadata });
    expect(() => describeTflite(bytes)).toThrow(message);
  }
  const fine = await toTflite(graph, state, { dims, metadata: { mobileone: JSON.stringify(described) } });
  expect(describeTflite(fine).normalizes).toBe(false);
});

test('a file whose offsets name the same place a billion times is refused at once', () => {
  const builder = new Builder();
  const many = (offset: number): number => {
    builder.startVector(4, 1000, 4);
    for (let i = 0; i < 1000; i++) builder.addOffset(offset);
    return builder.endVector();
  };
  const table = (slot: number, value: number): number => {
    builder.startObject(8);
    builder.addFieldOffset(slot, value, 0);
    return builder.endObject();
  };
  builder.startVector(4, 1000, 4);
  for (let i = 0; i < 1000; i++) builder.addInt32(i);
  const tensor = table(0, builder.endVector());
  const subgraph = table(0, many(tensor));
  builder.finish(table(2, many(subgraph)), 'TFL3');
  expect(() => decodeTable(MODEL_SCHEMA, builder.asUint8Array())).toThrow(/damaged/);
});

test('what is written is read back, and unions keep their tables apart', async () => {
  const root: TableValue = {
    name: 'x',
    subgraph_metadata: [
      {
        input_tensor_metadata: [
          { content: { content_properties: { table: 'FeatureProperties', value: {} } } },
          { process_units: [{ options: { table: 'NormalizationOptions', value: { mean: [1.5], std: [] } } }] },
        ],
      },
    ],
  };
  expect(decodeTable(METADATA_SCHEMA, await encodeTable(METADATA_SCHEMA, root))).toEqual(root);
});

test('damaged files are described or refused, and nothing else', async () => {
  const { read, refused } = describeDamaged(await smallFile(), 300, 1);
  expect(read).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(100);
});

/** Event files for TensorBoard: framing and checksums by a reader of their own here, and TensorBoard's own reader where it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { crc32c, maskedCrc, restartRecord, scalarRecord } from '../../src/report/tensorboard.ts';
import { built, cli, makeImages, start, TINY, temporaryFolder } from './cli-process.ts';

/** A Python with tensorboard; another than python3 is named in MOBILEONE_PYTHON. */
const PYTHON = process.env.MOBILEONE_PYTHON ?? 'python3';
const hasTensorboard = spawnSync(PYTHON, ['-c', 'import tensorboard'], { stdio: 'ignore' }).status === 0;

const { folder, remove } = temporaryFolder();

/** Fields of a protobuf message: number → values, nested ones as bytes. */
function fieldsOf(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  /** Where a value of so many bytes begins; reading goes on after it. */
  const skip = (length: number): number => {
    at += length;
    return at - length;
  };
  const read: Readonly<Record<number, () => number | Uint8Array>> = {
    0: varint,
    1: () => view.getFloat64(skip(8), true),
    2: () => {
      const length = varint();
      return bytes.subarray(skip(length), at);
    },
    5: () => view.getFloat32(skip(4), true),
  };
  while (at < bytes.length) {
    const key = varint();
    const number = key >> 3;
    fields.set(number, [...(fields.get(number) ?? []), read[key & 7]!()]);
  }
  return fields;
}

interface Read {
  readonly step: number;
  readonly values: Record<string, number>;
  readonly restart: boolean;
  readonly version: string | undefined;
}

/** Events of a file; fails when a checksum does not hold. */
function eventsOf(bytes: Uint8Array): Read[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: Read[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc(data));
    const fields = fieldsOf(data);
    const text = (value: unknown): string => new TextDecoder().decode(value as Uint8Array);
    const summary = fields.has(5) ? fieldsOf(fields.get(5)![0] as Uint8Array) : new Map<number, Uint8Array[]>();
    const values = (summary.get(1) ?? []).map((value) => fieldsOf(value as Uint8Array));
    events.push({
      step: Number(fields.get(2)?.[0] ?? 0),
      values: Object.fromEntries(values.map((value) => [text(value.get(1)![0]), value.get(2)![0] as number])),
      restart: fields.has(7),
      version: fields.has(3) ? text(fields.get(3)![0]) : undefined,
    });
    at += length + 16;
  }
  return events;
}

test('checksums are CRC-32C, and numbers of any size survive', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  const step = 5_000_000_007;
  const [event] = eventsOf(scalarRecord({ time: 1.5, step, values: { 'train/loss': 0.25, größe: -1e9 } }));
  expect(event).toEqual({ step, values: { 'train/loss': 0.25, größe: -1e9 }, restart: false, version: undefined });
  expect(eventsOf(restartRecord(0, 300))).toMatchObject([{ step: 300, restart: true }]);
});

describe.skipIf(!built)('a run (built)', () => {
  const names = (run: string): string[] => readdirSync(join(folder, run, 'tensorboard')).sort();
  const read = (run: string): Read[][] =>
    names(run).map((name) => eventsOf(new Uint8Array(readFileSync(join(folder, run, 'tensorboard', name)))));

  beforeAll(async () => {
    await makeImages(join(folder, 'photos'), 10);
    const run = start(folder, [
      'train',
      'photos',
      ...TINY,
      '--epochs',
      '12',
      '--checkpoint-every',
      '1e-9',
      '--out',
      'run',
    ]);
    await run.until(/epoch 2\/12/);
    run.child.kill('SIGINT');
    expect((await run.done).code).toBe(130);
    expect((await cli(folder, 'train', '--resume', 'run')).code).toBe(0);
  });
  afterAll(remove);

  it('writes a file each time it starts; steps go on where it stopped', () => {
    const [first, second] = read('run');
    expect(names('run')).toHaveLength(2);
    for (const events of [first!, second!]) expect(events[0]!.version).toBe('brain.Event:2');
    expect(second![1]!.restart).toBe(true);
    const metrics = readFileSync(join(folder, 'run', 'metrics.csv'), 'utf8')
      .trim()
      .split('\n')
      .slice(1);
    const epochs = [...first!, ...second!].filter(({ values }) => 'val/top1' in values);
    expect(epochs.map(({ step }) => step)).toEqual(metrics.map((_, i) => 3 * (i + 1)));
    expect(epochs.map(({ values }) => values['train/loss'])).toEqual(
      metrics.map((line) => Math.fround(Number(line.split(',')[1]))),
    );
    const tags = ['train/loss', 'train/top1', 'val/loss', 'val/top1', 'val/top5', 'lr', 'weight_decay'];
    expect(Object.keys(epochs[0]!.values)).toEqual([...tags, 'images_per_second']);
    expect(first!.some(({ values }) => 'step/loss' in values)).toBe(true);
  });

  it('writes none when told so', async () => {
    const args = ['train', 'photos', ...TINY, '--epochs', '1', '--no-tensorboard', '--out', 'none'];
    expect((await cli(folder, ...args)).code).toBe(0);
    expect(existsSync(join(folder, 'none', 'tensorboard'))).toBe(false);
  });

  it.skipIf(!hasTensorboard)("is read by TensorBoard's own reader", () => {
    const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0}); events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}))`;
    const out = execFileSync(PYTHON, ['-c', script, join(folder, 'run', 'tensorboard')], { encoding: 'utf8' });
    const scalars = JSON.parse(out) as Record<string, [number, number][]>;
    expect(scalars['val/top1']!.map(([step]) => step)).toEqual(Array.from({ length: 12 }, (_, i) => 3 * (i + 1)));
    const steps = scalars['step/loss']!.map(([step]) => step);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });
});

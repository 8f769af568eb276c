/**
 * CIFAR-10 and CIFAR-100 in their binary version: records of one label byte (CIFAR-100: coarse, then fine) and 3 × 32 × 32
 * planar pixels. Format: https://www.cs.toronto.edu/~kriz/cifar.html
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import type { Sample, SplitDataset } from '../dataset.ts';
import type { SplitOptions } from '../split.ts';
import { checkLabels, withValidation } from './packed.ts';
import type { Source } from './source.ts';

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;

interface Layout {
  readonly names: string;
  readonly train: RegExp;
  readonly test: string;
  /** Label bytes of a record, the last of which is the label. */
  readonly labelBytes: number;
}

const LAYOUTS: readonly Layout[] = [
  { names: 'batches.meta.txt', train: /^data_batch_\d+\.bin$/, test: 'test_batch.bin', labelBytes: 1 },
  { names: 'fine_label_names.txt', train: /^train\.bin$/, test: 'test.bin', labelBytes: 2 },
];

const layoutOf = (names: readonly string[]): Layout | undefined =>
  LAYOUTS.find((layout) => names.includes(layout.names) && names.some((name) => layout.train.test(name)));

/** Whether a folder with these files is a CIFAR data set. */
export function isCifar({ names }: Source): boolean {
  return layoutOf(names) !== undefined;
}

/** Reads a CIFAR folder, with its own test images. */
export async function readCifar({ folder, names }: Source, options: SplitOptions): Promise<SplitDataset> {
  const { names: namesFile, train, test, labelBytes } = layoutOf(names)!;
  const classes = (await readFile(join(folder, namesFile), 'utf8')).split(/\r?\n/).filter((line) => line.trim() !== '');
  const read = (name: string): Promise<Sample[]> => readRecords(join(folder, name), labelBytes, classes.length);
  const parts = await Promise.all(names.filter((name) => train.test(name)).map(read));
  return withValidation(classes, parts.flat(), names.includes(test) ? await read(test) : undefined, options);
}

async function readRecords(path: string, labelBytes: number, classes: number): Promise<Sample[]> {
  const bytes = await readFile(path);
  const record = labelBytes + PIXELS;
  if (bytes.length === 0 || bytes.length % record !== 0)
    throw new UserError(`"${path}" does not hold whole records of ${record} bytes.`, 'Get the file anew.');
  const labels = Uint8Array.from({ length: bytes.length / record }, (_, i) => bytes[i * record + labelBytes - 1]!);
  checkLabels(path, labels, classes);
  const file = path.replace(/^.*[/\\]/, '');
  return Array.from(
    labels,
    (label, i): Sample => ({
      path,
      label,
      part: {
        kind: 'pixels',
        name: `${file}-${i}`,
        offset: i * record + labelBytes,
        width: SIDE,
        height: SIDE,
        channels: 3,
        planar: true,
      },
    }),
  );
}

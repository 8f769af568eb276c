/** The growth of a training step's cost with branches, image, batch, threads and variant; ours, and PyTorch's where it is named. */
import { compare, type Subject } from './compare.ts';
import type { circumstances, Settings } from './run.ts';
import type { Row } from './spec.ts';

const BASE: Subject = { variant: 's0', batch: 16, size: 128, threads: 2 };

/** What grows, and the subjects along it. */
export const AXES: Readonly<Record<string, readonly Subject[]>> = {
  'conv branches k': [1, 2, 3, 4, 5].map((k) => ({ ...BASE, k })),
  'image side (px)': [64, 96, 128, 160, 192, 224, 256, 320].map((size) => ({ ...BASE, size })),
  'batch (images)': [1, 2, 4, 8, 16, 32, 64, 128].map((batch) => ({ ...BASE, size: 64, batch })),
  threads: [1, 2].map((threads) => ({ ...BASE, threads })),
  variant: ['s0', 's1', 's2', 's3', 's4'].map((variant) => ({ ...BASE, variant })),
};

export async function growthRows(
  settings: Settings,
  common: ReturnType<typeof circumstances>,
  options: { readonly quick: boolean; readonly tell: (text: string) => void },
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [axis, subjects] of Object.entries(AXES)) {
    const chosen = options.quick ? [subjects[0]!, subjects.at(-1)!] : subjects;
    for (const subject of chosen) {
      const once = { ...settings, rounds: 1 };
      const shared = { task: 'train', subject, runs: 3, settings: once, common, tell: options.tell } as const;
      // With PyTorch if it is named, otherwise our side alone.
      const made = await compare({ ...shared, peer: settings.python ? 'pytorch' : 'none' });
      const place = subject[AXIS_FIELDS[axis]!];
      rows.push(
        ...made
          .filter(({ bench }) => bench === 'train')
          .map((one) => ({ ...one, bench: `growth: ${axis}`, at: place })),
      );
    }
  }
  return rows;
}

/** The field of a subject that an axis varies. */
export const AXIS_FIELDS: Readonly<Record<string, keyof Subject>> = {
  'conv branches k': 'k',
  'image side (px)': 'size',
  'batch (images)': 'batch',
  threads: 'threads',
  variant: 'variant',
};

/** A small TFLite file for tests of its reader, and damage of many kinds. */
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { UserError } from '../../src/core/errors.ts';
import { random } from '../../src/core/random.ts';
import { describeTflite } from '../../src/export/tflite/describe.ts';
import { exportTflite } from '../../src/export/tflite/write.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { damaged } from './damage.ts';

const config: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.02, 0.01, 0.01, 0.01],
  num_conv_branches: 1,
  num_classes: 2,
};

/** A model of a few weights, so that damage hits what describes them. */
export const SMALL: ModelFile = {
  config,
  form: 'train',
  classes: ['cat', 'dog'],
  preprocessing: { size: 32, cropPct: 0.9, interpolation: 'bilinear', mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.2] },
  graph: mobileOne(config),
  state: initialState(mobileOne(config), 1),
  info: {},
};

/** The file of that model. */
export async function smallFile(): Promise<Uint8Array> {
  const { files, main } = await exportTflite(SMALL);
  return files.get(main)!;
}

/** Damages a file in many ways, by seed; throws when the reader answers with anything but a description or a UserError. */
export function describeDamaged(file: Uint8Array, count: number, seed: number): { read: number; refused: number } {
  let read = 0;
  for (let i = 0; i < count; i++) {
    const bytes = damaged(file, random(seed, i));
    try {
      describeTflite(bytes);
      read++;
    } catch (error) {
      if (!(error instanceof UserError)) throw new Error(`damage ${seed}, ${i}: ${String(error)}`, { cause: error });
    }
  }
  return { read, refused: count - read };
}

/** A small TFLite file for tests of its reader, and damage of many kinds. */
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { UserError } from '../../src/core/errors.ts';
import { type Random, random } from '../../src/core/random.ts';
import { describeTflite } from '../../src/export/tflite/describe.ts';
import { exportTflite } from '../../src/export/tflite/write.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';

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

const EXTREMES = [0, 1, 2, 4, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

const DAMAGE: readonly ((bytes: Uint8Array, rng: Random) => Uint8Array)[] = [
  (bytes, rng) => {
    bytes[rng.int(bytes.length)] = rng.int(256);
    return bytes;
  },
  (bytes, rng) => {
    const at = 4 * rng.int(Math.floor(bytes.length / 4));
    const value = rng.int(2) ? EXTREMES[rng.int(EXTREMES.length)]! : rng.int(bytes.length);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
    return bytes;
  },
  (bytes, rng) => bytes.slice(0, 1 + rng.int(bytes.length)),
  (bytes, rng) => bytes.copyWithin(rng.int(bytes.length), rng.int(bytes.length), rng.int(bytes.length)),
];

/** Damages a file in many ways, by seed; throws when the reader answers with anything but a description or a UserError. */
export function describeDamaged(file: Uint8Array, count: number, seed: number): { read: number; refused: number } {
  let read = 0;
  for (let i = 0; i < count; i++) {
    const rng = random(seed, i);
    let bytes: Uint8Array = file.slice();
    for (let hits = 1 + rng.int(4); hits > 0 && bytes.length >= 8; hits--)
      bytes = DAMAGE[rng.int(DAMAGE.length)]!(bytes, rng);
    try {
      describeTflite(bytes);
      read++;
    } catch (error) {
      if (!(error instanceof UserError)) throw new Error(`damage ${seed}, ${i}: ${String(error)}`, { cause: error });
    }
  }
  return { read, refused: count - read };
}

/** A small ONNX file, and what the reader of its description makes of damaged ones. */
import { UserError } from '../../src/core/errors.ts';
import { random } from '../../src/core/random.ts';
import { describeOnnx } from '../../src/export/onnx/describe.ts';
import { ONNX } from '../../src/export/onnx/format-node.ts';
import { damaged } from './damage.ts';
import { SMALL } from './tflite-files.ts';

/** The file of a model of a few weights. */
export async function smallOnnx(): Promise<Uint8Array> {
  const { files, main } = await ONNX.encode(SMALL);
  return files.get(main)!;
}

/** Damages a file in many ways, by seed; throws when the reader answers with anything but a description or a UserError. */
export async function describeDamagedOnnx(
  file: Uint8Array,
  count: number,
  seed: number,
): Promise<{ read: number; refused: number }> {
  let read = 0;
  for (let i = 0; i < count; i++) {
    try {
      await describeOnnx(damaged(file, random(seed, i)), 'model.onnx');
      read++;
    } catch (error) {
      if (!(error instanceof UserError)) throw new Error(`damage ${i} of seed ${seed}`, { cause: error });
    }
  }
  return { read, refused: count - read };
}

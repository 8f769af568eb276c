/** The image of a sample, wherever it lies: a file, or plain pixels inside one. */
import { open } from 'node:fs/promises';
import { UserError } from '../core/errors.ts';
import { type DecodeOptions, decodeImage } from '../images/decode-node.ts';
import type { RgbImage } from '../images/resize.ts';
import { type PixelPart, type Sample, sampleName } from './dataset.ts';

/** Decodes a sample's image to 8-bit RGB; throws a UserError with its name. */
export async function decodeSample(
  sample: Pick<Sample, 'path' | 'part'>,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  const { path, part } = sample;
  if (!part) return await decodeImage(path, options);
  return rgbOf(await readPixels(path, part, sampleName(sample)), part);
}

async function readPixels(path: string, part: PixelPart, name: string): Promise<Uint8Array> {
  const length = part.width * part.height * part.channels;
  const file = await open(path).catch((error: Error) => {
    throw new UserError(`"${name}" cannot be read: ${error.message}.`, 'Check that the file is still there.');
  });
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, part.offset);
    if (bytesRead < length) throw new UserError(`"${name}" is cut off.`, 'Get the file anew.');
    return buffer;
  } finally {
    await file.close();
  }
}

function rgbOf(bytes: Uint8Array, { width, height, channels, planar }: PixelPart): RgbImage {
  if (channels === 3 && !planar) return { width, height, data: bytes };
  const pixels = width * height;
  const data = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = bytes[channels === 1 ? i : c * pixels + i]!;
  }
  return { width, height, data };
}

/** The image of a sample, wherever it lies: a file, a file inside another, or plain pixels inside one. */
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { UserError } from '../core/errors.ts';
import { type DecodeOptions, decodeImage } from '../images/decode-node.ts';
import type { RgbImage } from '../images/resize.ts';
import { type EncodedPart, type PixelPart, type Place, sampleName } from './dataset.ts';

/** Image files inside archives that are larger are refused: nothing that is one image is. */
const MOST_BYTES = 2 ** 29;
const inflate = promisify(inflateRaw);

/** Decodes a sample's image to 8-bit RGB; throws a UserError with its name. */
export async function decodeSample(sample: Place, options: DecodeOptions = {}): Promise<RgbImage> {
  const { path, part } = sample;
  if (!part) return await decodeImage(path, options);
  const name = sampleName(sample);
  if (part.kind === 'pixels')
    return rgbOf(await readPart(path, part.offset, part.width * part.height * part.channels, name), part);
  return await decodeImage(await readEncoded(path, part, name), { ...options, name });
}

async function readPart(path: string, offset: number, length: number, name: string): Promise<Uint8Array> {
  const file = await open(path).catch((error: Error) => {
    throw new UserError(`"${name}" cannot be read: ${error.message}.`, 'Check that the file is still there.');
  });
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, offset);
    if (bytesRead < length) throw new UserError(`"${name}" is cut off.`, 'Get the file anew.');
    return buffer;
  } finally {
    await file.close();
  }
}

/** The bytes of an image file inside another. */
export async function readEncoded(path: string, part: EncodedPart, name: string): Promise<Uint8Array> {
  const { offset, bytes, inflated } = part;
  if (Math.max(bytes, inflated ?? 0) > MOST_BYTES)
    throw new UserError(`"${name}" has more than ${MOST_BYTES / 2 ** 20} MiB.`, 'Scale it down, or remove it.');
  const stored = await readPart(path, offset, bytes, name);
  const damaged = new UserError(`"${name}" is damaged.`, 'Get the archive anew.');
  const whole =
    inflated === undefined
      ? stored
      : await inflate(stored, { maxOutputLength: Math.max(1, inflated) }).catch(() => {
          throw damaged;
        });
  if (whole.length !== (inflated ?? bytes)) throw damaged;
  if (part.crc32 !== undefined && crc32(whole) !== part.crc32) throw damaged;
  return whole;
}

function rgbOf(bytes: Uint8Array, { width, height, channels, planar, transposed }: PixelPart): RgbImage {
  if (channels === 3 && !planar) return { width, height, data: bytes };
  const pixels = width * height;
  const data = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const from = transposed ? (i % width) * height + Math.floor(i / width) : i;
    for (let c = 0; c < 3; c++) data[3 * i + c] = bytes[channels === 1 ? from : c * pixels + from]!;
  }
  return { width, height, data };
}

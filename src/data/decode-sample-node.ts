/** The image of a sample, wherever it lies: a file, a file inside another, or plain pixels inside one. */
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { UserError } from '../core/errors.ts';
import { convertChannels } from '../images/channels.ts';
import { type DecodeOptions, decodeImage } from '../images/decode-node.ts';
import type { PixelImage } from '../images/resize.ts';
import { type EncodedPart, type PixelPart, type Place, sampleName } from './dataset.ts';

/** Image files inside archives that are larger are refused: nothing that is one image is. */
const MOST_BYTES = 2 ** 29;
const inflate = promisify(inflateRaw);

/** Decodes a sample's image to 8-bit RGB, or the channels asked for; throws a UserError with its name. */
export async function decodeSample(sample: Place, options: DecodeOptions = {}): Promise<PixelImage> {
  const { path, part } = sample;
  const { channels = 3 } = options;
  if (!part) return await decodeImage(path, options);
  const name = sampleName(sample);
  if (part.kind === 'pixels')
    return pixelsOf(await readPart(path, part.offset, part.width * part.height * part.channels, name), part, channels);
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

function pixelsOf(bytes: Uint8Array, part: PixelPart, channels: number): PixelImage {
  const { width, height } = part;
  return { width, height, channels, data: convertChannels(interleaved(bytes, part), part.channels, channels) };
}

/** Pixels row by row, with the channels of each together. */
function interleaved(bytes: Uint8Array, { width, height, channels, planar, transposed }: PixelPart): Uint8Array {
  if (!transposed && (channels === 1 || !planar)) return bytes;
  const pixels = width * height;
  const data = new Uint8Array(pixels * channels);
  for (let i = 0; i < pixels; i++) {
    const from = transposed ? (i % width) * height + Math.floor(i / width) : i;
    for (let c = 0; c < channels; c++)
      data[channels * i + c] = bytes[planar ? c * pixels + from : channels * from + c]!;
  }
  return data;
}

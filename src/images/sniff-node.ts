/** Looks into files for what they are. */
import { open } from 'node:fs/promises';
import { sniffImage } from './sniff.ts';

/** File names that promise an image. */
export const IMAGE_NAME: RegExp = /\.(jpe?g|jfif|png|webp|gif|tiff?|avif|heif|heic|bmp)$/i;

/** The first 512 bytes of a file or buffer; throws what the file system throws. */
export async function readHead(input: string | Uint8Array): Promise<Uint8Array> {
  if (typeof input !== 'string') return input.subarray(0, 512);
  const file = await open(input);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(512), 0, 512, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Whether any of the files is an image: by its name, or (of the first few) by its bytes. */
export async function holdsImages(
  paths: readonly string[],
  head: (path: string) => Promise<Uint8Array> = readHead,
): Promise<boolean> {
  if (paths.some((path) => IMAGE_NAME.test(path))) return true;
  for (const path of paths.slice(0, 16)) {
    const bytes = await head(path).catch(() => new Uint8Array(0));
    if (sniffImage(bytes)) return true;
  }
  return false;
}

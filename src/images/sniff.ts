/** Tells what a file is from its first bytes, for messages; undefined when it looks like no known image. */
export function sniffImage(bytes: Uint8Array): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  if (text.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (text.startsWith('\x89PNG')) return 'PNG';
  if (text.startsWith('GIF8')) return 'GIF';
  if (text.startsWith('RIFF') && text.slice(8) === 'WEBP') return 'WebP';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'TIFF';
  if (text.slice(4, 8) === 'ftyp' && /avi|hei|hev|mif|msf/.test(text.slice(8))) return 'AVIF or HEIF';
  if (text.startsWith('BM')) return 'BMP';
  return undefined;
}

/** A guess at what a file that is not an image is, in words. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  if (start.startsWith('<!doctype html') || start.startsWith('<html')) return 'an HTML page';
  if (start.startsWith('%pdf')) return 'a PDF';
  if (start.startsWith('pk')) return 'a zip archive';
  if (start.slice(4, 8) === 'ftyp') return 'a video';
  if (start.startsWith('<svg') || start.startsWith('<?xml')) return 'an XML or SVG file';
  return bytes.subarray(0, 256).every((b) => b >= 9 && b !== 11 && b !== 12 && (b >= 32 || b <= 13))
    ? 'text'
    : 'of an unknown format';
}

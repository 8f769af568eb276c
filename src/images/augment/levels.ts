/** Pillow's ImageOps on the levels of each channel: autocontrast (no cutoff) and equalize. */

const counts = new Int32Array(256);
const table = new Uint8Array(256);

/** Lets `fill` write a table for each channel from the counts of its levels; a channel for which it returns false stays. */
function eachChannel(pixels: Uint8Array, size: number, fill: () => boolean): void {
  const channels = pixels.length / (size * size);
  for (let channel = 0; channel < channels; channel++) {
    counts.fill(0);
    for (let i = channel; i < pixels.length; i += channels) counts[pixels[i]!]!++;
    if (!fill()) continue;
    for (let i = channel; i < pixels.length; i += channels) pixels[i] = table[pixels[i]!]!;
  }
}

/** The lowest level of each channel becomes 0, the highest 255. */
export function autoContrast(pixels: Uint8Array, size: number): void {
  eachChannel(pixels, size, () => {
    const low = counts.findIndex((count) => count > 0);
    const high = counts.findLastIndex((count) => count > 0);
    if (high <= low) return false;
    const scale = 255 / (high - low);
    const shift = -low * scale;
    for (let value = 0; value < 256; value++)
      table[value] = Math.max(0, Math.min(255, Math.trunc(value * scale + shift)));
    return true;
  });
}

/** Spreads the levels of each channel so that all are about equally frequent. */
export function equalize(pixels: Uint8Array, size: number): void {
  eachChannel(pixels, size, () => {
    const highest = counts.findLastIndex((count) => count > 0);
    const step = Math.floor((size * size - counts[highest]!) / 255);
    if (step === 0) return false;
    let sum = step >> 1;
    for (let value = 0; value < 256; value++) {
      table[value] = Math.min(255, Math.floor(sum / step));
      sum += counts[value]!;
    }
    return true;
  });
}

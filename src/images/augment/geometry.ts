/** Shear, shift and turn as Pillow's `Image.transform` with nearest neighbors: 16.16 fixed point, black outside. */

let before = new Uint8Array(0);

/** A copy of the pixels, valid until the next call: operations write into the picture that they read. */
export function copyOf(pixels: Uint8Array): Uint8Array {
  if (before.length !== pixels.length) before = new Uint8Array(pixels.length);
  before.set(pixels);
  return before;
}

const fixed = (value: number): number => Math.floor(value * 65536 + 0.5);

/** Moves pixels of [size, size, C] by the map [a, b, c, d, e, f] from output to input: u = ax + by + c, v = dx + ey + f. */
export function transform(pixels: Uint8Array, size: number, map: readonly [number, ...number[]]): void {
  const [a, b, c, d, e, f] = map as [number, number, number, number, number, number];
  const channels = pixels.length / (size * size);
  const input = copyOf(pixels);
  const [du, dv] = [fixed(a), fixed(d)];
  const [downU, downV] = [fixed(b), fixed(e)];
  // From pixel center to pixel center.
  let rowU = fixed(c + a * 0.5 + b * 0.5);
  let rowV = fixed(f + d * 0.5 + e * 0.5);
  pixels.fill(0);
  for (let y = 0, to = 0; y < size; y++, rowU += downU, rowV += downV) {
    let u = rowU;
    let v = rowV;
    for (let x = 0; x < size; x++, u += du, v += dv, to += channels) {
      const column = u >> 16;
      const row = v >> 16;
      if (column < 0 || column >= size || row < 0 || row >= size) continue;
      const from = (row * size + column) * channels;
      for (let channel = 0; channel < channels; channel++) pixels[to + channel] = input[from + channel]!;
    }
  }
}

/** Turns counterclockwise about the center, in degrees. */
export function rotate(pixels: Uint8Array, size: number, degrees: number): void {
  const turn = -(((degrees % 360) + 360) % 360) * (Math.PI / 180);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const center = size / 2;
  transform(pixels, size, [cos, sin, center - (cos + sin) * center, -sin, cos, center - (cos - sin) * center]);
}

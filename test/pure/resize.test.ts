/** Our antialiased bilinear resize against Pillow's (values made with Pillow 12, Image.BILINEAR). */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { evalGeometry } from '../../src/images/preprocess.ts';
import { type PixelImage, resizeRegion } from '../../src/images/resize.ts';

interface PillowCase {
  readonly w: number;
  readonly h: number;
  readonly W: number;
  readonly H: number;
  readonly data: readonly number[];
}

const CASES = JSON.parse(readFileSync(new URL('pillow-bilinear.json', import.meta.url), 'utf8')) as PillowCase[];

/** The picture that the Pillow values were made from. */
function picture(width: number, height: number): PixelImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set([(x * 37 + y * 91) % 256, (x * x * 13 + y * 7) % 256, (x * 5 + y * y * 29) % 256], (y * width + x) * 3);
    }
  }
  return { width, height, channels: 3, data };
}

test.each(CASES)('$w×$h → $W×$H as Pillow, bit for bit', ({ w, h, W, H, data }) => {
  const out = new Uint8Array(W * H * 3);
  resizeRegion(picture(w, h), { x: 0, y: 0, width: w, height: h }, { out, offset: 0, width: W, height: H });
  expect([...out]).toEqual(data);
});

test('a window of the resized picture is that part of it, and a region is that part of the image', () => {
  const source = picture(31, 23);
  const whole = new Uint8Array(20 * 14 * 3);
  const region = { x: 0, y: 0, width: 31, height: 23 };
  resizeRegion(source, region, { out: whole, offset: 0, width: 20, height: 14 });
  const part = new Uint8Array(6 * 5 * 3);
  resizeRegion(
    source,
    region,
    { out: part, offset: 0, width: 6, height: 5 },
    { resized: { width: 20, height: 14 }, x: 7, y: 4 },
  );
  for (let y = 0; y < 5; y++) {
    expect([...part.subarray(y * 18, (y + 1) * 18)]).toEqual([
      ...whole.subarray(((y + 4) * 20 + 7) * 3, ((y + 4) * 20 + 13) * 3),
    ]);
  }
  const same = new Uint8Array(8 * 8 * 3);
  resizeRegion(source, { x: 3, y: 2, width: 8, height: 8 }, { out: same, offset: 0, width: 8, height: 8 });
  expect([...same.subarray(0, 24)]).toEqual([...source.data.subarray((2 * 31 + 3) * 3, (2 * 31 + 11) * 3)]);
});

test('flip mirrors left and right', () => {
  const source = picture(9, 9);
  const region = { x: 0, y: 0, width: 9, height: 9 };
  const [plain, flipped] = [new Uint8Array(48), new Uint8Array(48)];
  resizeRegion(source, region, { out: plain, offset: 0, width: 4, height: 4 });
  resizeRegion(source, region, { out: flipped, offset: 0, width: 4, height: 4, flip: true });
  expect([...flipped.subarray(0, 3)]).toEqual([...plain.subarray(9, 12)]);
});

test('evaluation resizes the short side to size / cropPct, rounded down, and takes the center, the odd pixel behind it', () => {
  expect(evalGeometry(640, 480, { size: 224, cropPct: 0.875 })).toEqual({
    resized: { width: 341, height: 256 },
    crop: { x: 58, y: 16, width: 224, height: 224 },
  });
  expect(evalGeometry(100, 400, { size: 112, cropPct: 1 }).resized).toEqual({ width: 112, height: 448 });
});

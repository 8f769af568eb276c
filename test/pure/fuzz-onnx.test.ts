import { expect, test } from 'vitest';
import { describeDamagedOnnx, smallOnnx } from './onnx-files.ts';

test('damaged ONNX files are described or refused, and nothing else', async () => {
  const { read, refused } = await describeDamagedOnnx(await smallOnnx(), 300, 1);
  expect(read).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});

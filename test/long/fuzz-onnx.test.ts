/** Twenty thousand damaged ONNX files: each is described or refused with a UserError, and nothing else. */
import { expect, test } from 'vitest';
import { describeDamagedOnnx, smallOnnx } from '../pure/onnx-files.ts';

test('damaged files are described or refused, and nothing else', async () => {
  const { read, refused } = await describeDamagedOnnx(await smallOnnx(), 20_000, 2);
  expect(read).toBeGreaterThan(500);
  expect(refused).toBeGreaterThan(500);
});

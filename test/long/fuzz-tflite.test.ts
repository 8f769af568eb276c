/** A hundred thousand damaged TFLite files: each is described or refused with a UserError, and nothing else. */
import { expect, test } from 'vitest';
import { describeDamaged, smallFile } from '../pure/tflite-files.ts';

test('damaged files are described or refused, and nothing else', async () => {
  const { read, refused } = describeDamaged(await smallFile(), 100_000, 2);
  expect(read).toBeGreaterThan(5000);
  expect(refused).toBeGreaterThan(25_000);
});

/** Damaged Core ML packages, many of them: opened, or refused with a message for the user, and nothing else. */
import { expect, test } from 'vitest';
import { fuzz } from '../engine/cases/coreml.ts';

test.each([1, 2, 3, 4])('ten thousand damaged packages in four parts: part %i', async (seed) => {
  const { accepted, refused, crashes } = await fuzz(2500, seed);
  console.log(`${accepted} opened, ${refused} refused`);
  expect(crashes).toEqual([]);
  expect(accepted + refused).toBe(2500);
});

/** Makes image files and folders for tests, and reads the messages that refuse them. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect } from 'vitest';
import { UserError } from '../../src/core/errors.ts';

/** A temporary folder for the tests of a file; the function gives its path once they run. */
export function imageFolder(): () => string {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mobileone-images-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return () => folder;
}

/** A colorful JPEG that differs by its number. */
export async function photo(path: string, number: number, width = 40, height = 30): Promise<void> {
  const data = Buffer.from(
    Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (number + 3) + (i >> 5) * 17) % 256),
  );
  await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toFile(path);
}

export async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('it was accepted'),
    (cause: Error) => cause,
  );
  expect(error).toBeInstanceOf(UserError);
  return `${error.message} ${(error as UserError).hint}`;
}

/** Makes DIR/CLASS/*.jpg with a number of photos a class. */
export async function makeClasses(
  folder: string,
  name: string,
  counts: Readonly<Record<string, number>>,
): Promise<string> {
  const root = join(folder, name);
  let number = 0;
  for (const [className, count] of Object.entries(counts)) {
    await mkdir(join(root, className), { recursive: true });
    for (let i = 0; i < count; i++) await photo(join(root, className, `${i}.jpg`), number++);
  }
  return root;
}

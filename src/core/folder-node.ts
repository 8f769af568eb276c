/** Making folders. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it that are missing; the first one that it made, or undefined. Node's own `recursive` never comes to an
 * end where the system refuses with ENOENT, as in /proc.
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  const folder = resolve(path);
  const above = dirname(folder);
  const first = existsSync(above) ? undefined : await makeFolder(above);
  try {
    await mkdir(folder);
    return first ?? folder;
  } catch (error) {
    const there = await stat(folder).catch(() => undefined);
    if (there?.isDirectory()) return first;
    throw error;
  }
}

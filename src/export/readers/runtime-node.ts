/** Copies of the runtimes that readers need, out of the installed packages. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import type { Reader } from './reader.ts';

/** What readers need beside them, by path in `readers/`. Throws a UserError for a package that is not installed. */
export async function copyRuntime(readers: readonly Reader[]): Promise<[path: string, bytes: Uint8Array][]> {
  const copied: [string, Uint8Array][] = [];
  for (const { runtime } of readers) {
    if (!runtime) continue;
    const { package: name, folder, files, license } = runtime;
    copied.push([`${folder}/LICENSE`, new TextEncoder().encode(license)]);
    for (const file of files) copied.push([`${folder}/${file}`, await readFrom(name, file)]);
  }
  return copied;
}

async function readFrom(name: string, file: string): Promise<Uint8Array> {
  try {
    const main = createRequire(import.meta.url).resolve(name);
    return new Uint8Array(await readFile(join(dirname(main), file)));
  } catch {
    throw new UserError(
      `The runtime for the page is ${file} of the package ${name}, which is not installed.`,
      `Install it (npm install ${name}), or leave out --with-runtime.`,
    );
  }
}

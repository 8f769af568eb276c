/** What this machine is and what is installed. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { VERSION } from '../core/version.ts';

export interface Machine {
  readonly mobileone: string;
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly engines: Readonly<Record<string, string>>;
  /** Version of each optional package, or null. */
  readonly packages: Readonly<Record<string, string | null>>;
}

const PACKAGES = ['sharp', 'onnxruntime-node', 'onnxruntime-web'];

/** Version of an installed package, found from this file on upwards; null when it is missing. */
function packageVersion(name: string): string | null {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const file = join(folder, name, 'package.json');
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return null;
}

/** Describes the machine; opens the wasm engine to say which SIMD it found. */
export async function describeMachine(): Promise<Machine> {
  const { openEngine } = await import('./open-engine.ts');
  const { description, threads } = (await openEngine('wasm')).capabilities();
  return {
    mobileone: `${VERSION} in ${dirname(new URL(import.meta.url).pathname)}`,
    node: `${process.version} (V8 ${process.versions.v8})`,
    system: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    engines: { wasm: `${description}, ${threads} threads`, reference: 'float64, one thread' },
    packages: Object.fromEntries(PACKAGES.map((name) => [name, packageVersion(name)])),
  };
}

/** What this machine is and what is installed. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Device, describeDevice } from '../bench/device-node.ts';
import { openEngine } from './open-engine.ts';

export interface Machine extends Device {
  /** What each engine found to compute with. */
  readonly engines: Readonly<Record<string, string>>;
  /** Version of each optional package, or null. */
  readonly packages: Readonly<Record<string, string | null>>;
}

const PACKAGES = ['sharp', 'onnxruntime-node', 'onnxruntime-web', 'vega', 'vega-lite'];

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
  const { description, tuning, threads } = (await openEngine()).capabilities();
  return {
    ...describeDevice(),
    engines: {
      wasm: `${description}, ${tuning}, ${threads} thread${threads > 1 ? 's' : ''} (--threads auto: the cores this process may use, at most 8)`,
      reference: 'float64, one thread',
    },
    packages: Object.fromEntries(PACKAGES.map((name) => [name, packageVersion(name)])),
  };
}

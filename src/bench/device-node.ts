/** What a measurement was made on. */
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { hashText } from '../core/random.ts';
import { VERSION } from '../core/version.ts';

export interface Device {
  readonly cpu: string;
  /** Cores that this process may use. */
  readonly cores: number;
  readonly memoryGigabytes: number;
  /** E.g. `linux 6.1.0 x64`. */
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly mobileone: string;
  /** Short name of all of this: equal fingerprints, comparable numbers. */
  readonly fingerprint: string;
}

/** Describes this machine. */
export function describeDevice(): Device {
  const device = {
    cpu: cpus()[0]?.model.trim().replace(/\s+/g, ' ') ?? 'unknown',
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    v8: process.versions.v8,
    mobileone: VERSION,
  };
  return { ...device, fingerprint: hashText(JSON.stringify(device)).toString(16).padStart(8, '0') };
}

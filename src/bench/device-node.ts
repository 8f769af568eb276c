/** This machine, as Node sees it. */
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { type Device, nameDevice, wasmFeatures } from './device.ts';

export type { Device } from './device.ts';

/** Describes this machine. */
export function describeDevice(): Device & { readonly node: string; readonly v8: string } {
  const [node, v8] = [process.version, process.versions.v8];
  const kind = `${platform()} ${arch()}`;
  const device = nameDevice(
    {
      cpu: cpus()[0]?.model.trim().replace(/\s+/g, ' ') ?? 'unknown',
      cores: availableParallelism(),
      memoryGigabytes: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${release()} ${arch()}`,
      host: `Node ${process.version}`,
      node,
      v8,
      features: wasmFeatures(),
    },
    kind,
  );
  return { ...device, node, v8 };
}

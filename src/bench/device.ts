/** What a measurement was made on: one type for Node and browsers. */
import { hashText } from '../core/random.ts';
import { VERSION } from '../core/version.ts';

export interface Device {
  /** Model of the processor, or what a browser tells of the device, e.g. `Pixel 8 (arm)`. */
  readonly cpu: string;
  /** Cores that this process may use. */
  readonly cores: number;
  /** Browsers tell at most 8, some nothing: then 0. */
  readonly memoryGigabytes: number;
  /** E.g. `linux 6.1.0 x64`, `Android 15`. */
  readonly system: string;
  /** What runs the code: `Node v24.1.0`, `Chrome 150.0.7339.80`. */
  readonly host: string;
  readonly node?: string;
  readonly v8?: string;
  /** What the graphics adapter is called, where there is one to use. */
  readonly gpu?: string;
  /** What WebAssembly can do here: `simd`, `relaxed-simd`, `threads`. */
  readonly features: readonly string[];
  readonly mobileone: string;
  /** Short name of the hardware and kind of system, which stays when programs are updated: results over time are those of one machine. */
  readonly machine: string;
  /** Short name of all of this but features: equal fingerprints, comparable numbers. */
  readonly fingerprint: string;
}

const short = (value: unknown): string => hashText(JSON.stringify(value)).toString(16).padStart(8, '0');

/** Names a device: `kind` is the kind of its system without a version. */
export function nameDevice(device: Omit<Device, 'mobileone' | 'machine' | 'fingerprint'>, kind: string): Device {
  const { cpu, cores, memoryGigabytes, features, ...rest } = device;
  const machine = short({ cpu, cores, memoryGigabytes, kind });
  const named = { cpu, cores, memoryGigabytes, ...rest, mobileone: VERSION };
  return { ...named, features, machine, fingerprint: short(named) };
}

/** Small modules that only validate where a feature is there; each has one function. */
const PROBES: Readonly<Record<string, readonly number[]>> = {
  // () -> v128: i32.const 0, i8x16.splat, i8x16.popcnt
  simd: [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
  // () -> v128: two splats, i8x16.relaxed_swizzle
  'relaxed-simd': [
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0],
    ...[65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
  ],
  // A shared memory and i32.atomic.load
  threads: [
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0],
    ...[65, 0, 254, 16, 2, 0, 26, 11],
  ],
};

/** What WebAssembly can do here. */
export function wasmFeatures(): string[] {
  return Object.entries(PROBES).flatMap(([name, bytes]) =>
    WebAssembly.validate(Uint8Array.from(bytes)) ? [name] : [],
  );
}

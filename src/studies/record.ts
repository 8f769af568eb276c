/** A study that was run: what it found, and all that is needed to believe and to repeat it. */
import type { Device } from '../bench/device.ts';
import type { Protocol } from '../bench/protocol.ts';
import type { Study, StudyResult } from './study.ts';

export interface StudyRecord {
  readonly study: Pick<Study, 'name' | 'title' | 'question'>;
  readonly result: StudyResult;
  /** When it was finished, ISO 8601 in UTC. */
  readonly time: string;
  /** How long it took. */
  readonly seconds: number;
  readonly quick: boolean;
  readonly device: Device;
  /** `wasm@1: WebAssembly …`, each that was measured. */
  readonly runtimes: readonly string[];
  /** Of everything that was measured; undefined where nothing was. */
  readonly protocol?: Protocol;
  /** Of the checkout it ran in, where it is one; `-dirty` if that had changes. */
  readonly commit?: string;
}

/** What the loader and its threads say to each other. */
import type { Place } from '../data/dataset.ts';
import type { CacheIndex, Geometry } from './cache-node.ts';
import type { FillOptions, FillRequest } from './fill.ts';

export interface WorkerSetup {
  readonly index: Pick<CacheIndex, 'file' | 'entries'>;
  readonly samples: readonly Place[];
  readonly geometry: Geometry;
  readonly options: FillOptions;
}

export interface WorkerRequest {
  readonly id: number;
  /** Its `out` is shared memory. */
  readonly batch: FillRequest;
}

export interface WorkerReply {
  readonly id: number;
  readonly error?: string;
}

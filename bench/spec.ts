/** What one side of a comparison is asked to run, and what it answers. Each side runs in a process of its own. */

export interface SideSpec {
  /** `ours` or the name of a peer. */
  readonly side: string;
  readonly task: 'train' | 'infer';
  readonly variant: string;
  /** Conv branches; the variant's if undefined. */
  readonly k?: number | undefined;
  readonly batch: number;
  /** Image side in pixels. */
  readonly size: number;
  readonly threads: number;
  /** Timed runs after three warm-up runs. */
  readonly runs: number;
  /** 256-bit vectors, for our side. */
  readonly wide: 'auto' | 'off';
}

export interface SideResult {
  /** Median of the timed runs, milliseconds. */
  readonly ms: number;
  readonly minimum: number;
  /** First run, milliseconds. */
  readonly first: number;
  /** Opening the runtime, compiling, and the first run, milliseconds. */
  readonly cold: number;
  /** Peak resident memory of the process, MB. */
  readonly rss: number;
  /** Planned memory, MB (ours only). */
  readonly planned?: number;
  /** Name, version and settings. */
  readonly runtime: string;
  /** The first outputs of an inference, to compare sides. */
  readonly outputs?: readonly number[];
}

/** One line of results: a ratio above 1 means that we are better. */
export interface Row {
  readonly bench: string;
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  /** Lowest and highest of the rounds. */
  readonly spread?: readonly [number, number];
  readonly peer: string;
  readonly peerValue: number | null;
  readonly ratio: number | null;
  /** Largest difference of the outputs, relative to the largest output. */
  readonly difference?: number;
  readonly ours: string;
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  /** Place on the axis of a growth study. */
  readonly at?: string | number | undefined;
  readonly date: string;
}

/** A labeled set of images on disk. Labels index `classes`. */
export interface Sample {
  /** Path of the file. */
  readonly path: string;
  readonly label: number;
}

export interface Dataset {
  readonly classes: readonly string[];
  readonly samples: readonly Sample[];
}

export interface SplitDataset {
  readonly train: Dataset;
  readonly val: Dataset;
  readonly test?: Dataset;
  /** What the user should know: empty classes and the like, one sentence each. */
  readonly warnings: readonly string[];
}

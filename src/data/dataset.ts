/** A labeled set of images on disk. Labels index `classes`. */
export interface Sample {
  /** Path of the file that holds the image. */
  readonly path: string;
  /** Of several labels the first, or −1 of none. */
  readonly label: number;
  /** All labels, where images may have several. */
  readonly labels?: readonly number[];
  /** Where the image lies in the file; undefined: it is the whole file. */
  readonly part?: PixelPart;
}

/** 8-bit pixels inside a file: gray or RGB, interleaved or one plane a channel. */
export interface PixelPart {
  /** What the image is called inside its file, for people. */
  readonly name: string;
  /** Where it begins, in bytes. */
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly planar?: true;
}

/** How a sample is named to people: its path, and its name inside that file. */
export function sampleName({ path, part }: Pick<Sample, 'path' | 'part'>): string {
  return part ? `${path}:${part.name}` : path;
}

export interface Dataset {
  readonly classes: readonly string[];
  readonly samples: readonly Sample[];
  /** Images may have several labels, or none. */
  readonly multiLabel?: true;
}

export interface SplitDataset {
  readonly train: Dataset;
  readonly val: Dataset;
  readonly test?: Dataset;
  /** What the user should know: empty classes and the like, one sentence each. */
  readonly warnings: readonly string[];
}

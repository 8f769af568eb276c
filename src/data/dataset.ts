/** A labeled set of images on disk. Labels index `classes`. */
export interface Sample {
  /** Path of the file that holds the image. */
  readonly path: string;
  /** The class; of a multi-label set the first of `labels`, or −1 where there are none. */
  readonly label: number;
  /** Of a multi-label set: all classes of the image, ascending; there may be none. */
  readonly labels?: readonly number[];
  /** Where the image lies in the file; undefined: it is the whole file. */
  readonly part?: Part;
  /** The file as the user knows it, where `path` is a copy of it, unpacked into the cache folder. */
  readonly source?: string;
}

/** Where an image is: a sample without its labels. */
export type Place = Pick<Sample, 'path' | 'part' | 'source'>;

export type Part = PixelPart | EncodedPart;

/** 8-bit pixels inside a file: gray or RGB, interleaved or one plane a channel. */
export interface PixelPart {
  readonly kind: 'pixels';
  /** What the image is called inside its file, for people. */
  readonly name: string;
  /** Where it begins, in bytes. */
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly planar?: true;
  /** Stored column by column (EMNIST). */
  readonly transposed?: true;
}

/** A JPEG, PNG or other image file inside a file. */
export interface EncodedPart {
  readonly kind: 'encoded';
  readonly name: string;
  readonly offset: number;
  /** Its length as it is stored. */
  readonly bytes: number;
  /** Its length when inflated, if it is deflated. */
  readonly inflated?: number;
  readonly crc32?: number;
}

/** A sample without its labels. */
export const placeOf = ({ path, part, source }: Place): Place => ({
  path,
  ...(part ? { part } : {}),
  ...(source === undefined ? {} : { source }),
});

/** How a sample is named to people: its path, and its name inside that file. */
export function sampleName({ path, part, source = path }: Place): string {
  return part ? `${source}:${part.name}` : source;
}

export interface Dataset {
  readonly classes: readonly string[];
  readonly samples: readonly Sample[];
  /** Images have any number of classes: all samples have `labels`. */
  readonly multiLabel?: true;
}

/** The data set with other classes: class i becomes `index[i]` of them. */
export function withClasses(dataset: Dataset, classes: readonly string[], index: readonly number[]): Dataset {
  const samples = dataset.samples.map((sample): Sample => {
    if (!sample.labels) return { ...sample, label: index[sample.label]! };
    const labels = sample.labels.map((label) => index[label]!).toSorted((a, b) => a - b);
    return { ...sample, label: labels[0] ?? -1, labels };
  });
  return { ...dataset, classes, samples };
}

export interface SplitDataset {
  readonly train: Dataset;
  readonly val: Dataset;
  readonly test?: Dataset;
  /** The data says itself which images are for validation; otherwise they were split off. */
  readonly ownVal?: true;
  /** What the user should know: empty classes and the like, one sentence each. */
  readonly warnings: readonly string[];
}

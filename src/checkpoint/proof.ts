/** What a check of two forms of a model found: plain JSON data, stored with the artefact it speaks for. */
export interface Proof {
  /** Images that both forms were run on. */
  readonly images: number;
  /** They were not real ones, but made, with the statistics of photographs. */
  readonly generated?: true;
  /** Largest absolute difference of a logit between the two forms. */
  readonly maxLogitDifference: number;
  /** Largest absolute logit of the first form. */
  readonly maxAbsLogit: number;
  /** `maxLogitDifference / maxAbsLogit`. */
  readonly relativeDifference: number;
  /** Percent of images on which both forms name the same class. */
  readonly top1Agreement: number;
  /** Images on which they do not, because two classes are as good as equal (closer than twice the bound). */
  readonly ties: number;
  /** Largest `relativeDifference` allowed. */
  readonly bound: number;
  readonly passed: boolean;
  /** The engine that ran them, as it describes itself. */
  readonly engine: string;
}

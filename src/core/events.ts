/** Everything a run reports, one typed union: written to `events.jsonl`, shown by the CLI, drawn by the report. */

export interface EpochMetrics {
  readonly epoch: number;
  /** Mean training loss of the epoch. */
  readonly trainLoss: number;
  /** Training top-1 in percent, on the augmented images as they were seen; of mixed images, against their own labels. */
  readonly trainTop1: number;
  readonly valLoss: number;
  /** Percent; where images may have several labels, the share with one of theirs as the first answer. */
  readonly valTop1: number;
  /** Percent. */
  readonly valTop5: number;
  /** Mean average precision over the classes in percent, where images may have several labels. */
  readonly valMap?: number;
  /** Learning rate at the end of the epoch. */
  readonly lr: number;
  readonly weightDecay: number;
  readonly imagesPerSecond: number;
  /** Seconds since the run began, interruptions left out. */
  readonly seconds: number;
}

export type RunEvent =
  | {
      readonly type: 'start';
      readonly run: string;
      readonly epochs: number;
      readonly stepsPerEpoch: number;
      readonly trainImages: number;
      readonly valImages: number;
      readonly classes: readonly string[];
      /** Images may have several of the classes. */
      readonly multiLabel?: true;
      readonly resumedFrom?: { readonly epoch: number; readonly step: number };
    }
  | { readonly type: 'note'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'skipped'; readonly path: string; readonly reason: string }
  /** From this epoch on, training images are of another size. */
  | { readonly type: 'phase'; readonly epoch: number; readonly size: number }
  | {
      readonly type: 'step';
      readonly epoch: number;
      readonly step: number;
      readonly loss: number;
      /** Training top-1 of the epoch so far, in percent. */
      readonly top1: number;
      readonly lr: number;
      readonly imagesPerSecond: number;
      readonly etaSeconds: number;
    }
  | { readonly type: 'epoch'; readonly metrics: EpochMetrics; readonly best: boolean }
  | { readonly type: 'checkpoint'; readonly path: string }
  | { readonly type: 'interrupted'; readonly epoch: number; readonly step: number; readonly checkpoint: string }
  /** The run ended by an error; a diverged one would end the same way again. */
  | { readonly type: 'failed'; readonly diverged: boolean; readonly message: string }
  | {
      readonly type: 'fused';
      readonly path: string;
      /** Images of the proof that the fused model is the trained one. */
      readonly images: number;
      /** Largest logit difference, relative to the largest logit. */
      readonly relativeDifference: number;
    }
  | { readonly type: 'end'; readonly metrics: EpochMetrics; readonly checkpoint: string };

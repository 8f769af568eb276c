/** A model that another one learns from: logits for the very images that the student sees. */
import type { Tensor } from '../core/tensor.ts';
import type { LabeledBatch } from '../evaluate/evaluate.ts';

export interface Teacher {
  /** What it is and how it is asked, for the events of a run. */
  readonly description: string;
  /** Logits `[N, classes]` in the student's order of classes, for a batch of a step of an epoch. */
  logits(batch: LabeledBatch, epoch: number, step: number): Promise<Tensor>;
  close(): Promise<void>;
}

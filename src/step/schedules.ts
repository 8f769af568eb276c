/** Schedules as pure functions of the step, t = 0 … total − 1. */

export interface CosineSchedule {
  /** Value after warm-up. */
  readonly start: number;
  /** Value the cosine ends at. */
  readonly end: number;
  /** Steps over which the value rises linearly from zero. */
  readonly warmupSteps: number;
  /** Steps of the whole run, warm-up included. */
  readonly totalSteps: number;
}

/** end + ½ (start − end)(1 + cos πt/T): from `start` at t = 0 to `end` at t = T. */
export function cosine(start: number, end: number, t: number, total: number): number {
  return end + 0.5 * (start - end) * (1 + Math.cos((Math.PI * Math.min(t, total)) / total));
}

/** Learning rate of step t: linear warm-up ending at `start`, then a cosine over the steps that remain. */
export function learningRate({ start, end, warmupSteps, totalSteps }: CosineSchedule, t: number): number {
  if (t < warmupSteps) return (start * (t + 1)) / (warmupSteps + 1);
  return cosine(start, end, t - warmupSteps, Math.max(1, totalSteps - warmupSteps));
}

/** Weight decay of step t, annealed over the whole run by the same cosine (paper §4.1: 1e-4 → 1e-5). */
export function weightDecay(start: number, end: number, t: number, totalSteps: number): number {
  return cosine(start, end, t, totalSteps);
}

/** EMA decay of step t with warm-up, min(decay, (1 + t) / (10 + t)), so that short runs forget the initial weights. */
export function emaDecay(decay: number, t: number): number {
  return Math.min(decay, (1 + t) / (10 + t));
}

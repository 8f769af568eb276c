/** Speed and time to go, smoothed, from the times of steps and of evaluations. */

const SMOOTHING = 0.95;

export interface Pace {
  /** Tells that a step on so many images took so many seconds. */
  step(images: number, seconds: number): void;
  /** Tells how long an epoch's evaluation took, in seconds. */
  evaluation(seconds: number): void;
  readonly imagesPerSecond: number;
  /** Seconds that so many steps and evaluations will take. */
  eta(steps: number, evaluations: number): number;
}

/** Starts measuring. */
export function measurePace(): Pace {
  let stepSeconds = 0;
  let images = 0;
  let weight = 0;
  let evaluationSeconds = 0;
  return {
    step(count, seconds) {
      const keep = weight === 0 ? 0 : SMOOTHING;
      stepSeconds = keep * stepSeconds + seconds;
      images = keep * images + count;
      weight = keep * weight + 1;
    },
    evaluation(seconds) {
      evaluationSeconds = seconds;
    },
    get imagesPerSecond() {
      return stepSeconds === 0 ? 0 : images / stepSeconds;
    },
    eta: (steps, evaluations) => (weight === 0 ? 0 : (stepSeconds / weight) * steps) + evaluationSeconds * evaluations,
  };
}

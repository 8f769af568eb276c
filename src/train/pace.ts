/** Speed and time to go, smoothed, from the times of steps and of evaluations. */

const SMOOTHING = 0.95;

export interface Pace {
  /** Tells that a step on so many images took so many seconds; `work` is what it costs, in steps on full-size images. */
  step(images: number, seconds: number, work: number): void;
  /** Tells how long an epoch's evaluation took, in seconds. */
  evaluation(seconds: number): void;
  readonly imagesPerSecond: number;
  /** Seconds that so much work and so many evaluations will take. */
  eta(work: number, evaluations: number): number;
}

/** Starts measuring. */
export function measurePace(): Pace {
  let stepSeconds = 0;
  let images = 0;
  let done = 0;
  let evaluationSeconds = 0;
  return {
    step(count, seconds, work) {
      const keep = done === 0 ? 0 : SMOOTHING;
      stepSeconds = keep * stepSeconds + seconds;
      images = keep * images + count;
      done = keep * done + work;
    },
    evaluation(seconds) {
      evaluationSeconds = seconds;
    },
    get imagesPerSecond() {
      return stepSeconds === 0 ? 0 : images / stepSeconds;
    },
    eta: (work, evaluations) => (done === 0 ? 0 : (stepSeconds / done) * work) + evaluationSeconds * evaluations,
  };
}

/** A run's event files for TensorBoard: `tensorboard --logdir runs`. */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { RunEvent } from '../core/events.ts';
import { restartRecord, type Scalars, scalarRecord, versionRecord } from '../report/tensorboard.ts';
import { thinSteps } from './progress.ts';
import { appendOrSay } from './run-folder.ts';

/**
 * Makes the function that writes a run's scalars, in a new file each time training starts, as TensorBoard wants it; steps
 * count on over the whole run. Of training steps there is at most one a second, as in events.jsonl.
 */
export function recordTensorboard(folder: string): (event: RunEvent) => void {
  const keep = thinSteps();
  const now = (): number => Date.now() / 1000;
  const name = `events.out.tfevents.${Math.floor(now())}.${hostname()}.${process.pid}.0`;
  const path = join(folder, name);
  let stepsPerEpoch = 0;
  return (event) => {
    if (!keep(event)) return;
    if (event.type === 'start') {
      ({ stepsPerEpoch } = event);
      mkdirSync(folder, { recursive: true });
      appendOrSay(path, versionRecord(now()));
      const { resumedFrom } = event;
      if (resumedFrom)
        appendOrSay(path, restartRecord(now(), resumedFrom.epoch * stepsPerEpoch + resumedFrom.step + 1));
      return;
    }
    const scalars = scalarsOf(event, stepsPerEpoch);
    if (scalars) appendOrSay(path, scalarRecord({ time: now(), ...scalars }));
  };
}

function scalarsOf(event: RunEvent, stepsPerEpoch: number): Omit<Scalars, 'time'> | undefined {
  if (event.type === 'step') {
    const { epoch, step, loss, lr, imagesPerSecond } = event;
    const values = { 'step/loss': loss, 'step/lr': lr, 'step/images_per_second': imagesPerSecond };
    return { step: epoch * stepsPerEpoch + step, values };
  }
  if (event.type !== 'epoch') return undefined;
  const { epoch, trainLoss, trainTop1, valLoss, valTop1, valTop5, valMap } = event.metrics;
  const { lr, weightDecay, imagesPerSecond } = event.metrics;
  return {
    step: (epoch + 1) * stepsPerEpoch,
    values: {
      ...{ 'train/loss': trainLoss, 'train/top1': trainTop1 },
      ...{ 'val/loss': valLoss, 'val/top1': valTop1, 'val/top5': valTop5 },
      ...(valMap === undefined ? {} : { 'val/map': valMap }),
      ...{ lr, weight_decay: weightDecay, images_per_second: imagesPerSecond },
    },
  };
}

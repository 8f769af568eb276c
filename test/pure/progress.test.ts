/** The line of a step: everything where there is room, and never longer than the terminal. */
import { expect, test, vi } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { showEvents } from '../../src/cli/progress.ts';
import type { RunEvent } from '../../src/core/events.ts';

const counts = { trainImages: 900, valImages: 100, classes: ['a', 'b', 'c', 'd', 'e', 'f'] };
const start: RunEvent = { type: 'start', run: 'runs/x', epochs: 300, stepsPerEpoch: 58, ...counts };
const step: RunEvent = {
  ...{ type: 'step', epoch: 11, step: 32, loss: 2.255, top1: 13.81 },
  ...{ lr: 0.012345, imagesPerSecond: 230.4, etaSeconds: 4000 },
};

function shown(columns: number, terminal = true): string {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text);
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  const show = showEvents(
    { out: write, raw: write, terminal, columns: () => columns } as Partial<Io> as Io,
    false,
    2.5e8,
  );
  show(start);
  now.mockReturnValue(60_000);
  show(step);
  now.mockRestore();
  return lines.at(-1)!.replace(/\x1b\[[0-9;]*[mK]|\r/g, '');
}

test('it shows loss, accuracy, rate, speed, memory and the time left', () => {
  const text = shown(200);
  expect(text).toMatch(
    /^epoch 12\/300 {2}█+░+ {2}32\/58 {2}loss 2\.255 {2}top-1 13\.8 % {2}lr 0\.0123 {2}230 images\/s {2}\d\.\d\d GB \(step 0\.25\) {2}1:06:40 left$/,
  );
  expect(shown(200, false)).toMatch(/^epoch 12\/300 {2}step 32\/58 {2}loss .* left$/);
});

test.each([150, 118, 100, 80, 60, 40])('it fits into %i columns', (columns) => {
  const text = shown(columns);
  expect(text.length).toBeLessThan(columns);
  expect(text).toContain('loss 2.255');
});

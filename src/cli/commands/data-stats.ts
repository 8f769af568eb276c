import pc from 'picocolors';
import { readSplitData } from '../../data/held-out-node.ts';
import { channelStats } from '../../data/stats-node.ts';
import { DEFAULT_RECIPE } from '../../recipe/fields.ts';
import { parseField } from '../../recipe/parse.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../open-engine.ts';
import { countImages } from '../progress.ts';

export interface StatsFlags {
  readonly val?: string | undefined;
  readonly size: string;
  readonly inChans: string;
  readonly json?: true | undefined;
}

/** `mobileone data stats`: mean and standard deviation of each channel over the training images. */
export async function statsCommand(io: Io, folder: string, flags: StatsFlags): Promise<number> {
  const size = wholeNumber('--size', flags.size);
  const channels = parseField('in_chans', flags.inChans, '--in-chans');
  const { val_fraction, seed, crop_pct: cropPct } = DEFAULT_RECIPE;
  const { train } = await readSplitData(folder, flags.val, { valFraction: val_fraction, seed });
  const stats = await channelStats(train.samples, { size, cropPct }, channels, countImages(io, flags.json === true));
  const { mean, std, images, pixels, skipped } = stats;
  if (flags.json) {
    io.out(JSON.stringify({ folder, size, mean, std, images, pixels, skipped }));
    return EXIT.ok;
  }
  for (const reason of skipped) io.err(`${pc.yellow('skipped:')} ${reason}`);
  const text = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(',');
  io.out(`${images} training images at ${size} px, ${pixels} pixels of each channel`);
  io.out(`mean ${text(mean)}`);
  io.out(`std  ${text(std)}`);
  io.out(
    `use  mobileone train ${folder} --size ${size}${channels === 3 ? '' : ` --in-chans ${channels}`} --mean ${text(mean)} --std ${text(std)}`,
  );
  return EXIT.ok;
}

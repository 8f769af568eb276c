/**
 * Images per second of the loader with a warm cache: crop, resize and flip for training; and per second of processor
 * time over all threads, which stays meaningful on a machine that is busy with other things.
 * Usage: node build/bench-loader.js [DIR] [--size 112] [--workers 0,1,2] [--steps 40] [--autoaugment]. Prints one JSON object a line.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createLoader } from '../src/batches/loader-node.ts';
import { readFolder } from '../src/data/readers/folder-node.ts';
import { DEFAULT_PREPROCESSING } from '../src/images/preprocess.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '64,112,224' },
    workers: { type: 'string', default: '0,1,2' },
    steps: { type: 'string', default: '40' },
    autoaugment: { type: 'boolean', default: false },
  },
});
const folder = positionals[0] ?? '../shared/data/clothing';
if (!existsSync(folder)) {
  console.log(`skipped: there is no folder ${folder}; name one with one folder of images a class`);
  process.exit(0);
}
const { train } = await readFolder(folder, { valFraction: 0.1, seed: 0 });
const batchSize = 32;
for (const size of values.size.split(',').map(Number)) {
  for (const workers of values.workers.split(',').map(Number)) {
    const loader = await createLoader({
      dataset: train,
      batchSize,
      size,
      train: true,
      augment: {
        cropScale: [0.25, 1],
        cropRatio: [3 / 4, 4 / 3],
        hflip: 0.5,
        ...(values.autoaugment ? { auto: { policy: 'autoaugment' } } : {}),
      },
      seed: 0,
      workers,
      preprocessing: { ...DEFAULT_PREPROCESSING, size },
    });
    const steps = Math.min(Number(values.steps), loader.stepsPerEpoch - 1);
    let step = 0;
    let start = 0;
    let cpu = process.cpuUsage();
    for await (const _ of loader.epoch(0)) {
      if (step === 0) [start, cpu] = [performance.now(), process.cpuUsage()];
      if (step++ === steps) break;
    }
    const rate = (steps * batchSize * 1000) / (performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    console.log(
      JSON.stringify({
        bench: 'loader',
        subject: `${size}px, ${workers} workers${values.autoaugment ? ', AutoAugment' : ''}`,
        value: Math.round(rate),
        unit: 'images/s',
        perCpuSecond: Math.round((steps * batchSize * 1e6) / (user + system)),
        node: process.version,
      }),
    );
    await loader.close();
  }
}

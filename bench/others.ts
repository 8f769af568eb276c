/** Kernels, loader and start-up: what is measured against a limit of the machine or of ourselves. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { type circumstances, hasRevectorizer, median, row, runSide, type Settings } from './run.ts';
import type { Row } from './spec.ts';

const run = promisify(execFile);
type Common = ReturnType<typeof circumstances>;

/** GFLOPS of every kernel; the peer is the peak of multiply-adds from registers. */
export async function kernelRows(settings: Settings, common: Common): Promise<Row[]> {
  const rows: Row[] = [];
  for (const width of hasRevectorizer(settings.node) ? ['128', '256'] : ['128']) {
    const { stdout } = await run(settings.node, ['build/bench-kernels.js', width]);
    for (const line of stdout.trim().split('\n')) {
      const { kernel, shape, gflops, peak, build } = JSON.parse(line) as {
        kernel: string;
        shape: string;
        gflops: number;
        peak: number;
        build: string;
      };
      const what = { bench: 'kernels', subject: `${kernel}, ${shape}, ${width} bit`, unit: 'GFLOPS', ours: build };
      rows.push({
        ...row({ ...what, peer: 'peak of this machine, one thread' }, gflops, peak, {}, common),
        ratio: Number((gflops / peak).toPrecision(3)),
      });
    }
  }
  return rows;
}

/** Inference against the time that its multiply-adds need at the measured peak: ratio = limit / time. */
export async function limitRows(settings: Settings, common: Common, kernels: readonly Row[]): Promise<Row[]> {
  const S0_FLOPS = 2 * 275_110_400;
  const rows: Row[] = [];
  for (const width of hasRevectorizer(settings.node) ? (['128', '256'] as const) : (['128'] as const)) {
    const peak = kernels.find(({ subject }) => subject.endsWith(`${width} bit`))!.peerValue!;
    const spec = { side: 'ours', task: 'infer', variant: 's0', batch: 1, size: 224, threads: 1, runs: 100 } as const;
    const times: number[] = [];
    let ours = '';
    for (let i = 0; i < settings.rounds; i++) {
      const result = await runSide({ spec: { ...spec, wide: width === '256' ? 'auto' : 'off' }, flags: [] }, settings);
      times.push(result.ms);
      ours = result.runtime;
    }
    const limit = S0_FLOPS / peak / 1e6;
    const what = { bench: 'limit', subject: `S0, 224 px, batch 1, 1 thread, ${width} bit`, unit: 'ms', ours };
    const peer = `its 0.55 GFLOP at the peak of ${peak.toFixed(0)} GFLOPS`;
    rows.push(row({ ...what, peer }, median(times), limit, {}, common));
  }
  return rows;
}

/** Images a second that the loader gives, against what training takes. */
export async function loaderRows(settings: Settings, common: Common, folder: string): Promise<Row[]> {
  if (!existsSync(folder)) return [];
  const { stdout } = await run(settings.node, ['build/bench-loader.js', folder, '--size', '224', '--workers', '2']);
  const { value } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { value: number };
  const spec = { side: 'ours', task: 'train', variant: 's0', batch: 16, size: 224, threads: 2, runs: 4 } as const;
  const trained = await runSide({ spec: { ...spec, wide: 'auto' }, flags: [] }, settings);
  const rate = 16_000 / trained.ms;
  const what = {
    bench: 'loader',
    subject: '224 px, 2 workers, cache warm',
    unit: 'images/s',
    ours: 'mobileone loader',
  };
  const made = row({ ...what, peer: 'images/s that training S0 (k = 4) takes, 2 threads' }, value, rate, {}, common);
  return [{ ...made, ratio: Number((value / rate).toPrecision(4)) }];
}

/** Wall time of `mobileone --help`; the peer is the same Node running nothing. */
export async function startRows(settings: Settings, common: Common): Promise<Row[]> {
  const wall = async (args: readonly string[]): Promise<number> => {
    const start = performance.now();
    await run(settings.node, [...args]);
    return performance.now() - start;
  };
  const [help, bare]: [number[], number[]] = [[], []];
  for (let i = 0; i < 11; i++) {
    help.push(await wall(['dist/cli.js', '--help']));
    bare.push(await wall(['-e', '0']));
  }
  const what = { bench: 'start', subject: 'mobileone --help', unit: 'ms', ours: 'mobileone' };
  return [row({ ...what, peer: 'node -e 0' }, median(help), median(bare), {}, common)];
}

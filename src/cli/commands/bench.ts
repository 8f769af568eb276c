import { UserError } from '../../core/errors.ts';
import type { BenchFlags } from '../bench/flags.ts';
import type { Io } from '../io.ts';

/** What `mobileone bench` does besides measuring here; the first whose flag is given is done. */
const MODES: readonly {
  readonly flag: 'import' | 'export' | 'history' | 'static' | 'phone' | 'predict';
  readonly needsModel: boolean;
  run(io: Io, target: string, flags: BenchFlags): Promise<number>;
}[] = [
  {
    flag: 'import',
    needsModel: false,
    run: async (io, _, flags) => (await import('../bench/results.ts')).importResults(io, flags),
  },
  {
    flag: 'export',
    needsModel: false,
    run: async (io, _, flags) => (await import('../bench/results.ts')).exportResults(io, flags),
  },
  {
    flag: 'history',
    needsModel: false,
    run: async (io, target, flags) => (await import('../bench/results.ts')).showHistory(io, target, flags),
  },
  {
    flag: 'static',
    needsModel: true,
    run: async (io, target, flags) => (await import('../bench/phone.ts')).writeStaticPage(io, target, flags),
  },
  {
    flag: 'phone',
    needsModel: true,
    run: async (io, target, flags) => (await import('../bench/phone.ts')).measurePhone(io, target, flags),
  },
  {
    flag: 'predict',
    needsModel: true,
    run: async (io, target, flags) => (await import('../bench/predict.ts')).predictHere(io, target, flags),
  },
];

/** `mobileone bench`: latency here, on a phone, over time, or predicted. */
export async function benchCommand(io: Io, target: string | undefined, flags: BenchFlags): Promise<number> {
  const mode = MODES.find(({ flag }) => flags[flag] !== undefined);
  if (flags.lan && !flags.phone) throw new UserError('--lan goes with --phone.', '', 2);
  if (!mode?.needsModel && mode) return await mode.run(io, target ?? '', flags);
  if (!mode && target === undefined && flags.compare)
    return (await import('../bench/results.ts')).compareStored(io, flags.compare, flags);
  if (target === undefined)
    throw new UserError(
      'Say what to measure.',
      'E.g. mobileone bench s0, or a run folder; without a model: --history, --export FILE, --import FILE, --compare ID,ID.',
      2,
    );
  if (mode) return await mode.run(io, target, flags);
  return await (await import('../bench/measure-here.ts')).measureHere(io, target, flags);
}

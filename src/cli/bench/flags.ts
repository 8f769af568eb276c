/** The flags of `mobileone bench`, read. */
import { MODEL_BENCH, type Protocol, shortProtocol } from '../../bench/protocol.ts';
import type { MeasuredModel } from '../../bench/results/session.ts';
import type { BenchModel } from '../../bench/runtimes.ts';
import { type RuntimeKey, runtimeKey } from '../../bench/runtimes.ts';
import { benchModels } from '../../bench/subjects-node.ts';
import { UserError } from '../../core/errors.ts';
import { autoThreads } from '../../engine/wasm/auto-threads-node.ts';
import { hashState } from '../../export/onnx/write.ts';
import { bind } from '../../graph/bind.ts';
import { cost } from '../../graph/cost.ts';
import { isBareName, untrainedNet } from '../named-net.ts';
import { wholeNumber } from '../open-engine.ts';
import { openModel } from '../open-model.ts';

export interface BenchFlags {
  readonly size?: string | undefined;
  readonly batch: string;
  /** Default: 1; on a page 1 and auto. */
  readonly threads?: string | undefined;
  readonly runtime?: string | undefined;
  readonly compare?: string | undefined;
  readonly soak?: string | undefined;
  readonly predict?: true | undefined;
  readonly phone?: true | undefined;
  readonly lan?: true | undefined;
  readonly static?: string | undefined;
  readonly import?: string | undefined;
  readonly export?: string | undefined;
  /** True where no model is named. */
  readonly history?: string | true | undefined;
  readonly save: boolean;
  readonly wide?: string | undefined;
  readonly rounds: string;
  readonly runs: string;
  readonly json?: true | undefined;
}

/** Apple's protocol when its numbers are asked for, else a shorter one with the same share cut away. */
export function protocolOf(flags: BenchFlags): Protocol {
  const [rounds, runs] = [wholeNumber('--rounds', flags.rounds), wholeNumber('--runs', flags.runs)];
  const { rounds: full, runsPerRound } = MODEL_BENCH;
  return rounds === full && runs === runsPerRound ? MODEL_BENCH : shortProtocol(rounds, runs);
}

/** A list like `1,2,auto`. */
export function threadCounts(text = '1'): number[] {
  const counts = text
    .split(',')
    .map((one) => (one.trim() === 'auto' ? autoThreads() : wholeNumber('--threads', one.trim())));
  return [...new Set(counts)];
}

/** `90s`, `5m`, `1h`, or a number of seconds; in seconds. */
export function duration(flag: string, text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)\s*(s|m|min|h)?$/.exec(text.trim()) ?? [];
  const seconds = Number(number) * ({ s: 1, m: 60, min: 60, h: 3600 }[unit] ?? Number.NaN);
  if (seconds > 0) return seconds;
  throw new UserError(`${flag} must be a time like 90s, 5m or 1h, got "${text}".`, '', 2);
}

/** One side of a comparison: `RUNTIME` or `RUNTIME@THREADS`. */
export interface Side {
  readonly key: RuntimeKey;
  readonly threads: number;
}

/** Reads `--compare A,B`; sides without threads take `threads`. */
export function comparedSides(text: string, threads: number): readonly [Side, Side] {
  const sides = text.split(',').map((one): Side => {
    const [name = '', count] = one.trim().split('@');
    return { key: runtimeKey(name), threads: count === undefined ? threads : threadCounts(count)[0]! };
  });
  const [first, second] = sides;
  if (sides.length !== 2 || !first || !second)
    throw new UserError(`--compare takes two, got "${text}".`, 'E.g. --compare wasm,ort-node or wasm@1,wasm@2.', 2);
  if (first.key === second.key && first.threads === second.threads)
    throw new UserError(
      '--compare got the same twice.',
      'E.g. --compare wasm@1,wasm@2 compares numbers of threads.',
      2,
    );
  return [first, second];
}

export interface OpenedBench {
  /** Its forms, the fused one last. */
  readonly forms: readonly BenchModel[];
  readonly model: MeasuredModel;
}

/** Opens what is to be measured: a variant or network by its name, or what `openModel` opens. */
export async function openBench(target: string, flags: BenchFlags): Promise<OpenedBench> {
  const size = wholeNumber('--size', flags.size, 32);
  const batch = wholeNumber('--batch', flags.batch);
  const source = isBareName(target) ? untrainedNet(target, size) : (await openModel(target)).model;
  const forms = benchModels(source, { batch, ...(size ? { size } : {}) });
  const fused = forms.at(-1)!;
  const { macs, params } = cost(bind(fused.graph, { ...fused.dims, N: 1 }));
  return {
    forms,
    model: {
      name: target,
      hash: (await hashState(fused.state)).slice(0, 16),
      size: fused.dims.H!,
      batch,
      macs,
      parameters: params,
    },
  };
}

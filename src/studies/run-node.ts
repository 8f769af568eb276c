/** Runs a study on this machine. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeDevice } from '../bench/device-node.ts';
import type { Protocol } from '../bench/protocol.ts';
import type { Results } from '../bench/results/store-node.ts';
import { type RuntimeKey, type RuntimeTable, USUAL_RUNTIMES } from '../bench/runtimes.ts';
import { nodeRuntimes } from '../bench/runtimes-node.ts';
import { UserError } from '../core/errors.ts';
import { measurer } from './measure-node.ts';
import type { StudyRecord } from './record.ts';
import type { Study, StudyContext } from './study.ts';
import { forgetUnfinished, noteUnfinished, readUnfinished } from './unfinished-node.ts';

export interface RunStudyOptions {
  /** Fewer networks, two runtimes, two minutes. */
  readonly quick?: boolean;
  /** The main one first; default: all that need no graphics adapter, of a quick study `wasm` and `ort-node`. */
  readonly runtimes?: readonly RuntimeKey[];
  /** Default: one. */
  readonly threads?: readonly number[];
  /** Networks by their names; default: all of the study. */
  readonly nets?: readonly string[];
  /** How long measuring should take in all; default: 14, of a quick study 1.75, so that with the rest it stays below 15 and 2. */
  readonly minutes?: number;
  /** Where each group is kept as soon as it is measured, and where results of other devices are looked for; undefined: nowhere. */
  readonly results?: Results;
  /** Goes on with a study that was ended: keeps its protocol and what it measured. Needs `results`. */
  readonly resume?: boolean;
  /** Keeps what was found; only when that is done the study counts as finished, so that `resume` can repeat it without measuring. */
  readonly write?: (record: StudyRecord) => Promise<void>;
  /** Runtimes other than those of this process; tests put their own here. */
  readonly table?: RuntimeTable;
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** Ends it: its reason is thrown. What was measured is kept. */
  readonly signal?: AbortSignal;
}

const MINUTES = { whole: 14, quick: 1.75 } as const;
const QUICK_RUNTIMES: readonly RuntimeKey[] = ['wasm', 'ort-node'];

/** Runs a study. Throws a UserError where nothing can be measured, and for names that it does not know. */
export async function runStudy(study: Study, options: RunStudyOptions = {}): Promise<StudyRecord> {
  const { quick = false, threads = [1], nets, results, onProgress = () => {}, signal } = options;
  const { runtimes = quick ? QUICK_RUNTIMES : USUAL_RUNTIMES, table = nodeRuntimes() } = options;
  const { minutes = quick ? MINUTES.quick : MINUTES.whole } = options;
  if (nets && !study.nets)
    throw new UserError(`The study "${study.name}" has no choice of networks.`, 'Leave --nets away.', 2);
  if (options.resume && !results)
    throw new UserError('Without kept results there is nothing to go on with.', 'Leave --no-save or --resume away.', 2);
  const began = new Date();
  const device = describeDevice();
  const unfinished = options.resume && results ? await readUnfinished(results, study.name) : undefined;
  const kept = (await results?.read('measurements'))?.rows ?? [];
  const measured = new Set<string>();
  let protocol: Protocol | undefined;
  const measure = measurer({
    ...{ table, runtimes, threads, device, seconds: 60 * minutes, results, onProgress, signal },
    ...(unfinished ? { protocol: unfinished.protocol, earlier: { since: unfinished.since, rows: kept } } : {}),
    onProtocol: async (chosen) => {
      if (results) await noteUnfinished(results, study.name, { since: began, protocol: chosen });
    },
  });
  const context: StudyContext = {
    ...{ quick, device, runtimes, threads, kept, progress: onProgress },
    ...(nets ? { nets } : {}),
    ...(signal ? { signal } : {}),
    async measure(candidates, wish) {
      const found = await measure(candidates, wish);
      for (const { runtime, threads: count, version } of found.rows) measured.add(`${runtime}@${count}: ${version}`);
      protocol = found.protocol;
      return found;
    },
  };
  const result = await study.run(context);
  const commit = await commitOf(dirname(fileURLToPath(import.meta.url)));
  const record: StudyRecord = {
    study: { name: study.name, title: study.title, question: study.question },
    ...{ result, time: new Date().toISOString(), seconds: (Date.now() - began.getTime()) / 1000, quick, device },
    runtimes: [...measured],
    ...(protocol ? { protocol } : {}),
    ...(commit ? { commit } : {}),
  };
  await options.write?.(record);
  if (results) await forgetUnfinished(results, study.name);
  return record;
}

/** The commit of the checkout that this file is in; undefined for an installed package. */
async function commitOf(folder: string): Promise<string | undefined> {
  // From src/studies or dist up to what holds package.json: only there a checkout is ours.
  let root = folder;
  while (!existsSync(join(root, 'package.json')) && dirname(root) !== root) root = dirname(root);
  if (!existsSync(join(root, '.git'))) return undefined;
  return await new Promise((resolve) => {
    execFile('git', ['-C', root, 'describe', '--always', '--dirty', '--match', ' '], { timeout: 5000 }, (error, out) =>
      resolve(error ? undefined : out.trim() || undefined),
    );
  });
}

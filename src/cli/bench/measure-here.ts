/** `mobileone bench MODEL`: this machine measures. */
import { compareMeasurements, comparisonText } from '../../bench/compare.ts';
import { describeDevice } from '../../bench/device-node.ts';
import { measure, type Subject } from '../../bench/measure.ts';
import { makeSession, type Session } from '../../bench/results/session.ts';
import { openResults, resultsFolder } from '../../bench/results/store-node.ts';
import { findSubjects, parseRuntimes, refusalText, USUAL_RUNTIMES } from '../../bench/runtimes.ts';
import { nodeRuntimes } from '../../bench/runtimes-node.ts';
import { type Soak, soak } from '../../bench/soak.ts';
import { UserError } from '../../core/errors.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { countProgress } from '../progress.ts';
import { type BenchFlags, comparedSides, duration, openBench, protocolOf, type Side, threadCounts } from './flags.ts';
import { doubtLines, headLines, named, resultLines, soakLines } from './text.ts';

/** A runtime to measure, and whether with the train form too: on the first one only, for what fusing buys. */
interface Part extends Side {
  readonly bothForms: boolean;
}

/** What the flags ask for; wrong ones are refused before anything is opened. */
function partsOf(flags: BenchFlags): Part[] {
  const threads = threadCounts(flags.threads);
  if (flags.compare) return comparedSides(flags.compare, threads[0]!).map((side) => ({ ...side, bothForms: false }));
  const soaking = flags.soak !== undefined;
  const keys = flags.runtime ? parseRuntimes(flags.runtime) : soaking ? (['wasm'] as const) : USUAL_RUNTIMES;
  return keys.flatMap((key, i) => threads.map((count) => ({ key, threads: count, bothForms: i === 0 && !soaking })));
}

/** Keeps a session unless `--no-save`, and says where; a store that can't be written is no reason to lose what is on the screen. */
export async function keepSession(io: Io, session: Session, flags: Pick<BenchFlags, 'save' | 'json'>): Promise<void> {
  if (!flags.save) return;
  const results = openResults(resultsFolder(io.env));
  try {
    await results.add(session);
    if (!flags.json)
      io.out(`Kept in ${results.folder} (session ${session.id.slice(0, 6)}); mobileone bench --history shows it.`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    io.err(`The results could not be kept: ${error.message} ${error.hint}`);
  }
}

function wideOf({ wide = 'auto' }: BenchFlags): 'auto' | 'off' {
  if (wide === 'auto' || wide === 'off') return wide;
  throw new UserError(`--wide must be auto or off, got "${wide}".`, '', 2);
}

/** Measures a model on this machine, prints and keeps the results. */
export async function measureHere(io: Io, target: string, flags: BenchFlags): Promise<number> {
  const protocol = protocolOf(flags);
  const table = nodeRuntimes({ wide: wideOf(flags) });
  const seconds = flags.soak === undefined ? undefined : duration('--soak', flags.soak);
  const wanted = partsOf(flags);
  const { forms, model } = await openBench(target, flags);
  const { subjects, notes } = await findSubjects(
    table,
    wanted.flatMap(({ key, threads, bothForms }) =>
      (bothForms ? forms : forms.slice(-1)).map((form) => ({ key, threads, model: form })),
    ),
  );
  if (subjects.length === 0) throw new UserError('Nothing can be measured here.', notes.join(' '));
  const parts = { model, protocol, notes };
  const session =
    seconds === undefined
      ? await measureAll(io, subjects, parts, flags)
      : await soakAll(io, subjects, parts, { seconds, json: flags.json });
  await keepSession(io, session, flags);
  return EXIT.ok;
}

type Parts = Pick<Session, 'model' | 'protocol'> & { notes: string[] };

async function measureAll(io: Io, subjects: Subject[], parts: Parts, flags: BenchFlags): Promise<Session> {
  const show = countProgress(io, flags.json === true);
  const measurements = await measure(subjects, parts.protocol, {
    onRound: (done, total) => show(done, total, 'rounds'),
    onRefused: ({ key, threads }, error) => {
      const text = refusalText(`${key} with ${threads} thread${threads > 1 ? 's' : ''}`, error);
      if (!parts.notes.includes(text)) parts.notes.push(text);
    },
  });
  if (measurements.length === 0) throw new UserError('Nothing could be measured here.', parts.notes.join(' '));
  const session = makeSession({ ...parts, device: describeDevice(), measurements });
  const [first, second] = measurements;
  const comparison = flags.compare && first && second ? compareMeasurements(first, second) : undefined;
  if (flags.json) {
    io.out(JSON.stringify({ ...session, ...(comparison ? { comparison } : {}) }));
    return session;
  }
  for (const line of [...headLines(session), '', ...resultLines(measurements)]) io.out(line);
  if (comparison) io.out(comparisonText(named(first!), named(second!), comparison));
  for (const line of [...doubtLines(measurements), ...session.notes]) io.out(line);
  return session;
}

async function soakAll(
  io: Io,
  subjects: readonly Subject[],
  parts: Parts,
  { seconds, json = false }: { readonly seconds: number; readonly json?: boolean | undefined },
): Promise<Session> {
  const soaks: Soak[] = [];
  const stop = new AbortController();
  const release = io.onInterrupt((count) => (count > 1 ? io.quit(130) : stop.abort()));
  const show = countProgress(io, json);
  try {
    for (const subject of subjects) {
      if (stop.signal.aborted) break;
      const onWindow = ({ to }: { to: number }): void => show(Math.min(to, seconds), seconds, `soaking ${subject.key}`);
      const soaked = await soak(subject, { seconds, onWindow, signal: stop.signal });
      if (soaked.windows.length > 0) soaks.push(soaked);
    }
  } finally {
    release();
  }
  const session = makeSession({ ...parts, device: describeDevice(), measurements: [], soaks });
  if (json) io.out(JSON.stringify(session));
  else {
    for (const line of headLines(session).slice(0, 2)) io.out(line);
    for (const line of [...soaks.flatMap((soaked) => ['', ...soakLines(soaked)]), ...session.notes]) io.out(line);
  }
  return session;
}

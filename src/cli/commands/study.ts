import { join } from 'node:path';
import { openResults, resultsFolder } from '../../bench/results/store-node.ts';
import { parseRuntimes } from '../../bench/runtimes.ts';
import { nodeRuntimes } from '../../bench/runtimes-node.ts';
import { writeFolder } from '../../checkpoint/write-folder-node.ts';
import { UserError } from '../../core/errors.ts';
import { loadVega } from '../../report/draw.ts';
import { type StudyFiles, studyFiles } from '../../report/study/files-node.ts';
import { runStudy } from '../../studies/run-node.ts';
import { STUDIES, studyNamed } from '../../studies/studies.ts';
import { threadCounts } from '../bench/flags.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { shareProgress } from '../progress.ts';
import { checkStudyFolder, newStudyFolder } from '../study-folder.ts';
import { textTable } from '../text-table.ts';

export interface StudyFlags {
  readonly quick?: true | undefined;
  readonly out?: string | undefined;
  readonly runtime?: string | undefined;
  readonly threads?: string | undefined;
  readonly nets?: string | undefined;
  readonly minutes?: string | undefined;
  readonly resume?: true | undefined;
  readonly save: boolean;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** `mobileone study`: one of the paper's studies, measured here and written as a report; without a name, which there are. */
export async function studyCommand(
  io: Io,
  name: string | undefined,
  flags: StudyFlags,
  commandLine: string,
): Promise<number> {
  if (name === undefined) return listStudies(io, flags);
  const study = studyNamed(name);
  const out = flags.out ?? newStudyFolder(study.name, new Date());
  const minutes = minutesOf(flags.minutes);
  const runtimes = flags.runtime === undefined ? undefined : parseRuntimes(flags.runtime);
  const threads = threadCounts(flags.threads);
  const table = nodeRuntimes({ wide: wideOf(flags.wide) });
  await checkStudyFolder(out, study.name);
  await loadVega();
  const show = shareProgress(io, flags.json === true);
  const stop = new AbortController();
  const release = io.onInterrupt((count) => (count > 1 ? io.quit(EXIT.interrupted) : stop.abort()));
  let made: StudyFiles | undefined;
  try {
    const record = await runStudy(study, {
      ...{ quick: flags.quick === true, threads, table, resume: flags.resume === true, signal: stop.signal },
      ...(runtimes ? { runtimes } : {}),
      ...(flags.nets ? { nets: flags.nets.split(',').map((net) => net.trim()) } : {}),
      ...(minutes === undefined ? {} : { minutes }),
      ...(flags.save ? { results: openResults(resultsFolder(io.env)) } : {}),
      onProgress: show,
      async write(record) {
        made = await studyFiles(record, commandLine);
        await writeFolder(out, made.files);
      },
    });
    const { finding, notes: told } = record.result;
    const { files, notes } = made!;
    if (flags.json)
      io.out(
        JSON.stringify({
          type: 'done',
          study: study.name,
          out,
          finding,
          notes: [...told, ...notes],
          files: [...files.keys()],
        }),
      );
    else {
      io.out(finding);
      for (const note of [...told, ...notes]) io.out(`- ${note}`);
      io.out(`Written: ${join(out, 'report.html')}, and beside it report.md, the tables and the figures.`);
    }
    return EXIT.ok;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    const kept = flags.save ? ` What was measured is kept: mobileone study ${study.name} --resume goes on.` : '';
    io.err(`Interrupted.${kept}`);
    return EXIT.interrupted;
  } finally {
    release();
  }
}

function listStudies(io: Io, { json }: StudyFlags): number {
  if (json) {
    io.out(JSON.stringify(STUDIES.map(({ name, title, question }) => ({ name, title, question }))));
    return EXIT.ok;
  }
  for (const line of textTable(
    STUDIES.map(({ name, question }) => [name, question]),
    2,
  ))
    io.out(line);
  io.out('');
  io.out('Run one: mobileone study correlation --quick (two minutes), or without --quick (fifteen).');
  return EXIT.ok;
}

function minutesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const minutes = Number(text);
  if (minutes > 0 && minutes <= 24 * 60) return minutes;
  throw new UserError(`--minutes must be a number above 0, at most a day, got "${text}".`, '', 2);
}

function wideOf(wide = 'auto'): 'auto' | 'off' {
  if (wide === 'auto' || wide === 'off') return wide;
  throw new UserError(`--wide must be auto or off, got "${wide}".`, '', 2);
}

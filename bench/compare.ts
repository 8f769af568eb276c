/** Training step, inference and memory: our side beside every peer, with the same flags of V8. */
import { PEERS } from './peers/peers.ts';
import {
  type circumstances,
  hasRevectorizer,
  needsRelaxedFlag,
  outputDifference,
  row,
  runInTurn,
  type Settings,
  type Side,
} from './run.ts';
import type { Row, SideSpec } from './spec.ts';

export interface Subject {
  readonly variant: string;
  readonly k?: number | undefined;
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
}

export interface CompareOptions {
  readonly task: SideSpec['task'];
  readonly subject: Subject;
  readonly runs: number;
  /** Only this peer. */
  readonly peer?: string | undefined;
  readonly settings: Settings;
  readonly common: ReturnType<typeof circumstances>;
  readonly tell: (text: string) => void;
}

/** The flags of V8 under which a wasm peer runs: those that we set, and none where that is another case. */
function flagSets(node: string, wide: SideSpec['wide']): string[][] {
  if (wide === 'auto') return [['--experimental-wasm-revectorize']];
  return needsRelaxedFlag(node) ? [[], ['--experimental-wasm-relaxed-simd']] : [[]];
}

const widthsOf = (node: string): readonly ('128 bit' | '256 bit')[] =>
  hasRevectorizer(node) ? ['128 bit', '256 bit'] : ['128 bit'];

/** Which peers can take part, by name. */
function peersFor({ task, subject, peer, settings }: CompareOptions): string[] {
  return Object.entries(PEERS)
    .filter(([name, { tasks, script, maxThreads, small }]) => {
      if (name === 'ours' || !tasks.includes(task) || (peer && peer !== name)) return false;
      if (script && !settings.python) return false;
      if (maxThreads && subject.threads > maxThreads) return false;
      return !small || subject.batch * subject.size ** 2 <= 4 * 64 ** 2;
    })
    .map(([name]) => name);
}

export function subjectName({ variant, k, batch, size, threads }: Subject, width: string): string {
  return `${variant.toUpperCase()}${k ? ` k=${k}` : ''}, ${size} px, batch ${batch}, ${threads} thread${threads > 1 ? 's' : ''}, ${width}`;
}

/**
 * Compares at 128 bit (no flags on any side), and where V8 has it at 256 bit (wasm peers with the same flag). Peers outside V8 stand
 * beside both. Gives rows of time, of memory (training) and of cold starts (inference).
 */
export async function compare(options: CompareOptions): Promise<Row[]> {
  const { task, subject, runs, settings, common, tell } = options;
  const peers = peersFor(options);
  const rows: Row[] = [];
  for (const width of widthsOf(settings.node)) {
    const wide = width === '256 bit' ? 'auto' : 'off';
    // Our side sets the flags it needs by itself.
    const sides = ['ours', ...peers].flatMap((side) =>
      (side === 'ours' || !PEERS[side]!.wasm ? [[]] : flagSets(settings.node, wide)).map(
        (flags): Side => ({ spec: { side, task, ...subject, runs, wide }, flags }),
      ),
    );
    const [ours, ...theirs] = await runInTurn(sides, settings, tell);
    const perImage = (ms: number): number => (task === 'train' ? ms / subject.batch : ms);
    const what = { subject: subjectName(subject, width), ours: ours!.runtime };
    const unit = task === 'train' ? 'ms/image' : 'ms';
    if (peers.length === 0) {
      rows.push(
        row(
          { bench: task, ...what, unit, peer: '' },
          perImage(ours!.ms),
          null,
          { spread: spread(ours!, perImage) },
          common,
        ),
      );
    }
    for (const [i, result] of theirs.entries()) {
      const peer = [result.runtime, ...sides[i + 1]!.flags].join(', ');
      const difference = outputDifference(ours!, result);
      rows.push(
        row(
          { bench: task, ...what, unit, peer },
          perImage(ours!.ms),
          perImage(result.ms),
          { spread: spread(ours!, perImage), ...(difference === undefined ? {} : { difference }) },
          common,
        ),
      );
      if (task === 'infer')
        rows.push(row({ bench: 'cold start', ...what, unit: 'ms', peer }, ours!.cold, result.cold, {}, common));
      else rows.push(row({ bench: 'memory', ...what, unit: 'MB resident', peer }, ours!.rss, result.rss, {}, common));
    }
  }
  return rows;
}

/** Our side alone for several subjects, in turn within one run, so that their quotients hold on a noisy machine. */
export async function ourselves(
  options: Omit<CompareOptions, 'subject' | 'peer'>,
  subjects: readonly Subject[],
): Promise<Row[]> {
  const { task, runs, settings, common, tell } = options;
  const rows: Row[] = [];
  for (const width of widthsOf(settings.node)) {
    const wide = width === '256 bit' ? 'auto' : 'off';
    const sides = subjects.map(
      (subject): Side => ({ spec: { side: 'ours', task, ...subject, runs, wide }, flags: [] }),
    );
    for (const [i, result] of (await runInTurn(sides, settings, tell)).entries()) {
      const perImage = (ms: number): number => ms / subjects[i]!.batch;
      const what = { bench: `scale: ${task}`, subject: subjectName(subjects[i]!, width), unit: 'ms/image', peer: '' };
      const around = { spread: spread(result, perImage) };
      rows.push(row({ ...what, ours: result.runtime }, perImage(result.ms), null, around, common));
    }
  }
  return rows;
}

const spread = (
  { spread: [low, high] }: { spread: [number, number] },
  scale: (ms: number) => number,
): [number, number] => [Number(scale(low).toPrecision(4)), Number(scale(high).toPrecision(4))];

/** Runs sides in processes of their own, in turn, and compares them. */
import { execFile, execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { promisify } from 'node:util';
import { PEERS } from './peers/peers.ts';
import type { Row, SideResult, SideSpec } from './spec.ts';

const run = promisify(execFile);

export interface Settings {
  /** The Node binary that runs all sides. */
  readonly node: string;
  /** Python with torch and timm; undefined: PyTorch is left out. */
  readonly python: string | undefined;
  readonly rounds: number;
}

/** Median of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** A side with the flags of its process. */
export interface Side {
  readonly spec: SideSpec;
  readonly flags: readonly string[];
}

/** Runs one side once. */
export async function runSide({ spec, flags }: Side, { node, python }: Settings): Promise<SideResult> {
  const { script } = PEERS[spec.side]!;
  const [command, args] = script
    ? [python ?? 'python3', [script, JSON.stringify(spec)]]
    : [node, [...flags, 'build/bench-side.js', JSON.stringify(spec)]];
  const { stdout } = await run(command, args, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as SideResult;
}

/** Runs all sides in turn, round after round (A B C A B C), and joins what each measured. */
export async function runInTurn(
  sides: readonly Side[],
  settings: Settings,
  tell: (text: string) => void,
): Promise<(SideResult & { spread: [number, number] })[]> {
  const results: SideResult[][] = sides.map(() => []);
  for (let round = 0; round < settings.rounds; round++) {
    for (const [i, side] of sides.entries()) {
      tell(`round ${round + 1} of ${settings.rounds}: ${side.spec.side} ${side.flags.join(' ')}`);
      results[i]!.push(await runSide(side, settings));
    }
  }
  return results.map((rounds) => {
    const times = rounds.map(({ ms }) => ms);
    const middle = (pick: (result: SideResult) => number): number => median(rounds.map(pick));
    return {
      ...rounds[0]!,
      ms: median(times),
      minimum: Math.min(...rounds.map(({ minimum }) => minimum)),
      first: middle(({ first }) => first),
      cold: middle(({ cold }) => cold),
      rss: middle(({ rss }) => rss),
      spread: [Math.min(...times), Math.max(...times)],
    };
  });
}

/** Largest difference of two outputs relative to the largest value; undefined where one side gives none. */
export function outputDifference(a: SideResult, b: SideResult): number | undefined {
  if (!a.outputs || !b.outputs) return undefined;
  const largest = Math.max(...a.outputs.map(Math.abs));
  return Math.max(...a.outputs.map((value, i) => Math.abs(value - b.outputs![i]!))) / largest;
}

/** What is the same in every row: machine, Node, commit and day. */
export function circumstances({ node }: Settings): Pick<Row, 'machine' | 'node' | 'commit' | 'date'> {
  const commit = execFileSync('git', ['describe', '--always', '--dirty']).toString().trim();
  return {
    machine: `${cpus()[0]!.model.trim()}, ${cpus().length} cores`,
    node: execFileSync(node, ['--version']).toString().trim(),
    commit,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** Whether a Node binary has V8's revectorizer in the form that pays (Node 24 on). */
export function hasRevectorizer(node: string): boolean {
  return Number(execFileSync(node, ['-p', 'process.versions.v8']).toString().split('.')[0]) >= 13;
}

/** Whether a Node binary has relaxed SIMD behind a flag only (Node 20). */
export function needsRelaxedFlag(node: string): boolean {
  return Number(execFileSync(node, ['-p', 'process.versions.v8']).toString().split('.')[0]) < 12;
}

/** Whether the Python named by MOBILEONE_BENCH_PYTHON has torch and timm. */
export function pythonWithTorch(): string | undefined {
  const python = process.env.MOBILEONE_BENCH_PYTHON;
  if (!python) return undefined;
  try {
    execFileSync(python, ['-c', 'import torch, timm'], { stdio: 'ignore' });
    return python;
  } catch {
    return undefined;
  }
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** A row of a comparison where less is better. */
export function row(
  what: { bench: string; subject: string; unit: string; peer: string; ours: string },
  value: number,
  peerValue: number | null,
  rest: Partial<Row>,
  common: ReturnType<typeof circumstances>,
): Row {
  return {
    bench: what.bench,
    subject: what.subject,
    value: rounded(value),
    unit: what.unit,
    peer: what.peer,
    peerValue: peerValue === null ? null : rounded(peerValue),
    ratio: peerValue === null ? null : rounded(peerValue / value),
    ...rest,
    ours: what.ours,
    ...common,
  };
}

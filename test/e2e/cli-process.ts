/** Runs the built command line as a process, and makes the tiny image sets that tests train on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { random } from '../../src/core/random.ts';

/** Another build can be tested by naming it in MOBILEONE_CLI. */
const CLI: string = resolve(process.env.MOBILEONE_CLI ?? 'dist/cli.js');

/** Whether the package is built; the tests here run `dist/cli.js`. */
export const built: boolean = existsSync(CLI);

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly done: Promise<Result>;
  /** Resolves with the match when the output so far matches; rejects when the process ends first. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Starts `mobileone <args>` in a folder. */
export function start(cwd: string, args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: {
      ...process.env,
      ...{ NO_COLOR: '1', XDG_CACHE_HOME: join(cwd, '.cache'), MOBILEONE_RESULTS: join(cwd, '.results') },
      ...env,
    },
  });
  let out = '';
  let err = '';
  const waiting: { pattern: RegExp; resolve: (match: RegExpExecArray) => void; reject: (error: Error) => void }[] = [];
  const check = (): void => {
    for (const entry of [...waiting]) {
      const match = entry.pattern.exec(out + err);
      if (!match) continue;
      waiting.splice(waiting.indexOf(entry), 1);
      entry.resolve(match);
    }
  };
  child.stdout.on('data', (data: Buffer) => {
    out += data;
    check();
  });
  child.stderr.on('data', (data: Buffer) => {
    err += data;
    check();
  });
  const done = new Promise<Result>((resolveDone) => {
    child.on('close', (code) => {
      for (const { pattern, reject } of waiting) reject(new Error(`ended before ${pattern}:\n${out}${err}`));
      resolveDone({ code, out, err });
    });
  });
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolveUntil, reject) => {
      waiting.push({ pattern, resolve: resolveUntil, reject });
      check();
    });
  return { child, done, until };
}

/** Runs `mobileone <args>` in a folder to its end. */
export async function cli(cwd: string, ...args: string[]): Promise<Result> {
  return await start(cwd, args).done;
}

/** A new temporary folder, and its removal. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'mobileone-test-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export const COLORS: Readonly<Record<string, readonly [number, number, number]>> = {
  blue: [40, 60, 220],
  green: [40, 200, 60],
  red: [220, 50, 40],
};

/** Writes `DIR/CLASS/NUMBER.png`: noisy 40 × 40 squares whose color is their class. */
export async function makeImages(
  dir: string,
  count: number,
  classes: readonly string[] = Object.keys(COLORS),
): Promise<void> {
  for (const [c, name] of classes.entries()) {
    mkdirSync(join(dir, name), { recursive: true });
    const color = COLORS[name] ?? [90 * c, 128, 90];
    for (let i = 0; i < count; i++) {
      const rng = random(c, i);
      const data = Buffer.from(
        Array.from({ length: 40 * 40 * 3 }, (_, p) => Math.max(0, Math.min(255, color[p % 3]! + rng.int(60) - 30))),
      );
      await sharp(data, { raw: { width: 40, height: 40, channels: 3 } })
        .png()
        .toFile(join(dir, name, `${i}.png`));
    }
  }
}

/** Flags of a network so small that a step takes milliseconds. */
export const TINY: readonly string[] = [
  ...['--depths', '1,1,1,1', '--widths', '.125,.125,.125,.125', '-k', '2', '--size', '32'],
  ...['--batch-size', '8', '--lr', '0.05', '--threads', '1', '--workers', '1'],
];

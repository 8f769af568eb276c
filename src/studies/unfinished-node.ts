/** What is noted of a study while it runs, so that it can be gone on with when it was ended. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Protocol } from '../bench/protocol.ts';
import type { Results } from '../bench/results/store-node.ts';
import { writeAtomic } from '../checkpoint/write-node.ts';
import { UserError } from '../core/errors.ts';

export interface Unfinished {
  /** When it began: what was measured before belongs to other sittings. */
  readonly since: Date;
  readonly protocol: Protocol;
}

const fileOf = ({ folder }: Results, study: string): string => join(folder, 'studies', `${study}.json`);

/** Notes that a study measures by a protocol. */
export async function noteUnfinished(results: Results, study: string, { since, protocol }: Unfinished): Promise<void> {
  await mkdir(join(results.folder, 'studies'), { recursive: true });
  await writeAtomic(fileOf(results, study), `${JSON.stringify({ since, protocol })}\n`);
}

/** Reads the note; throws a UserError if there is none, or none that can be read. */
export async function readUnfinished(results: Results, study: string): Promise<Unfinished> {
  const nothing = new UserError(
    `There is no unfinished study "${study}" on this machine.`,
    `Begin it: mobileone study ${study}`,
  );
  const text = await readFile(fileOf(results, study), 'utf8').catch(() => {
    throw nothing;
  });
  try {
    const { since, protocol } = JSON.parse(text) as { since: string; protocol: Protocol };
    const numbers = [protocol.warmup, protocol.rounds, protocol.runsPerRound, protocol.trim];
    if (!numbers.every(Number.isInteger) || Number.isNaN(Date.parse(since))) throw nothing;
    return { since: new Date(since), protocol };
  } catch {
    throw nothing;
  }
}

/** Removes the note of a study that is finished. */
export async function forgetUnfinished(results: Results, study: string): Promise<void> {
  await rm(fileOf(results, study), { force: true });
}

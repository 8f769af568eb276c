/** Runs a command line and turns whatever goes wrong into a sentence and an exit code. */
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { UserError } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { buildProgram } from './program.ts';

/** Runs `mobileone <argv>` and returns the exit code; nothing is thrown. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok;
  const program = buildProgram(io, (result) => {
    code = result;
  });
  try {
    if (argv.length === 0) io.out(program.helpInformation().trimEnd());
    else await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return report(error, io);
  }
}

function report(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UserError) {
    io.err(`${pc.red('error:')} ${error.message}`);
    if (error.hint) io.err(error.hint);
    return error.exitCode;
  }
  io.err(`${pc.red('internal error:')} ${error instanceof Error ? error.message : String(error)}`);
  io.err(
    `This is a bug in mobileone ${VERSION}, not your mistake. Please report it with the command you ran and what "mobileone info" prints.`,
  );
  if (io.env.MOBILEONE_DEBUG === '1' && error instanceof Error) io.err(error.stack ?? '');
  else io.err('MOBILEONE_DEBUG=1 shows where it happened.');
  return EXIT.bug;
}

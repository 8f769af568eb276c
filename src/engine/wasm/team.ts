/** The calling thread as leader of a team: it gives commands through shared memory and computes its own share. */
import { UserError } from '../../core/errors.ts';
import { CONTROL, type KernelExports, type Runner } from './platform.ts';

export interface Team {
  readonly runner: Runner;
  /** Called when a thread ended that was not told to: the next run, or the one in progress, fails. */
  lost(reason: string): void;
}

/** Makes the runner of a team whose other members are already waiting. `end` ends them after they were told to. */
export function leadTeam(
  memory: WebAssembly.Memory,
  kernels: KernelExports,
  threads: number,
  end: () => Promise<void>,
): Team {
  const cells = new Int32Array(memory.buffer, 0, 256);
  let disposed = false;
  let failure = '';
  const command = (list: number, count: number): void => {
    cells[CONTROL.list / 4] = list;
    cells[CONTROL.count / 4] = count;
    Atomics.add(cells, CONTROL.command / 4, 1);
    Atomics.notify(cells, CONTROL.command / 4);
  };
  const abort = (reason: string): void => {
    failure ||= reason;
    Atomics.store(cells, CONTROL.aborted / 4, 1);
    Atomics.notify(cells, CONTROL.generation / 4);
  };
  const refuse = (cause?: unknown): never => {
    const error = new UserError(
      `A thread of the engine stopped (${failure}), so this program can't go on.`,
      'Start again (a training run goes on with --resume). If it happens again, use --threads 1 and report it.',
      70,
    );
    error.cause = cause;
    throw error;
  };
  return {
    lost: abort,
    runner: {
      run(list, count) {
        if (disposed) throw new Error('the program was disposed');
        if (failure) refuse();
        if (threads > 1) command(list, count);
        try {
          kernels.run(list, count, 0, threads);
        } catch (error) {
          abort(cells[CONTROL.aborted / 4] ? 'another thread failed' : String(error));
          refuse(error);
        }
      },
      async dispose() {
        if (disposed) return;
        disposed = true;
        if (threads > 1) command(0, -1);
        await end();
      },
    },
  };
}

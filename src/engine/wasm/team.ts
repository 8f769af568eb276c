/** The calling thread as leader of a team: it gives commands through shared memory and computes its own share. */
import { UserError } from '../../core/errors.ts';
import { CONTROL, type KernelExports, type Runner } from './platform.ts';

export interface Team {
  readonly runner: Runner;
  /** Called when member `tid` ended without being told to: the run in progress, or the next one, fails. */
  lost(tid: number, reason: string): void;
}

/** The error of a team whose members did not all start. */
export function threadsDidNotStart(threads: number, cause: unknown): UserError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const error = new UserError(
    `The engine could not start ${threads} threads (${reason}).`,
    'Use fewer: --threads 1, or threads: 1.',
  );
  error.cause = cause;
  return error;
}

/** Lets events be delivered: a member that ended is heard of only while no code runs here. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

/** Makes the runner of a team whose other members are already waiting. `end` ends them after they were told to. */
export function leadTeam(
  memory: WebAssembly.Memory,
  kernels: KernelExports,
  threads: number,
  end: () => Promise<void>,
): Team {
  const cells = new Int32Array(memory.buffer, 0, 256);
  let disposed: Promise<void> | undefined;
  let failure: { readonly text: string; readonly cause?: unknown } | undefined;
  const command = (list: number, count: number): void => {
    cells[CONTROL.list / 4] = list;
    cells[CONTROL.count / 4] = count;
    Atomics.add(cells, CONTROL.command / 4, 1);
    Atomics.notify(cells, CONTROL.command / 4);
  };
  /** Calls members out of the barrier. */
  const giveUp = (): void => {
    Atomics.store(cells, CONTROL.aborted / 4, 1);
    Atomics.notify(cells, CONTROL.generation / 4);
  };
  const lost = (tid: number, reason: string, cause?: unknown): void => {
    failure ??= { text: `thread ${tid + 1} of ${threads}: ${reason}`, cause };
    giveUp();
  };
  /** Throws if the team can't run (any more). */
  const check = (): void => {
    if (disposed) throw new Error('the program was disposed');
    if (!failure) return;
    const error = new UserError(
      `A thread of the engine stopped (${failure.text}), so this program can't go on.`,
      'Start again (a training run goes on with --resume). If it happens again, use --threads 1 and report it.',
      70,
    );
    error.cause = failure.cause;
    throw error;
  };
  /** Computes until the run is done (true), or others are late. */
  const compute = (work: () => number): boolean => {
    try {
      return work() !== 0;
    } catch (error) {
      lost(0, error instanceof Error ? error.message : String(error), error);
      check();
      throw error;
    }
  };
  const waitForOthers = async (): Promise<void> => {
    for (let done = false; !done; ) {
      await turn();
      check();
      // After a failure elsewhere, wait for the event that says what it was.
      if (!Atomics.load(cells, CONTROL.aborted / 4)) done = compute(kernels.resume);
    }
  };
  return {
    lost,
    runner: {
      run(list, count) {
        check();
        if (threads > 1) command(list, count);
        return compute(() => kernels.run(list, count, 0, threads)) ? undefined : waitForOthers();
      },
      dispose() {
        if (!disposed) {
          giveUp();
          if (threads > 1) command(0, -1);
          disposed = end();
        }
        return disposed;
      },
    },
  };
}

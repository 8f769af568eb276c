/** A team of threads on one memory: commands go through cells in it; the team may be led by one of its threads or from outside. */
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

/** What every leader has: the cells, what became of the members, and their end. */
function openTeam(memory: WebAssembly.Memory, threads: number, workers: number, end: () => Promise<void>) {
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
  return {
    command,
    givenUp: (): boolean => Atomics.load(cells, CONTROL.aborted / 4) !== 0,
    lost(tid: number, reason: string, cause?: unknown): void {
      failure ??= { text: `thread ${tid + 1} of ${threads}: ${reason}`, cause };
      giveUp();
    },
    /** Throws if the team can't run (any more). */
    check(): void {
      if (disposed) throw new Error('the program was disposed');
      if (!failure) return;
      const error = new UserError(
        `A thread of the engine stopped (${failure.text}), so this program can't go on.`,
        'Start again (a training run goes on with --resume). If it happens again, use --threads 1 and report it.',
        70,
      );
      error.cause = failure.cause;
      throw error;
    },
    dispose(): Promise<void> {
      if (!disposed) {
        giveUp();
        if (workers > 0) command(0, -1);
        disposed = end();
      }
      return disposed;
    },
  };
}

/** The calling thread leads and computes the share of thread 0; the others wait already. `end` ends them after they were told to. */
export function leadTeam(
  memory: WebAssembly.Memory,
  kernels: KernelExports,
  threads: number,
  end: () => Promise<void>,
): Team {
  const { command, givenUp, lost, check, dispose } = openTeam(memory, threads, threads - 1, end);
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
      if (!givenUp()) done = compute(kernels.resume);
    }
  };
  const run: Runner['run'] = (list, count) => {
    check();
    if (threads > 1) command(list, count);
    return compute(() => kernels.run(list, count, 0, threads)) ? undefined : waitForOthers();
  };
  return { lost, runner: { run, dispose } };
}

export interface TeamFromOutside extends Team {
  /** Called when thread 0 tells that it has done its share of a run, and so all others have. */
  finished(): void;
}

/** The calling thread, which may not sleep (a page), only gives commands: all threads are workers that wait already. */
export function leadFromOutside(
  memory: WebAssembly.Memory,
  threads: number,
  end: () => Promise<void>,
): TeamFromOutside {
  const { command, lost, check, dispose } = openTeam(memory, threads, threads, end);
  let running: { resolve(): void; reject(reason: unknown): void } | undefined;
  const settle = (): void => {
    const { resolve, reject } = running ?? {};
    running = undefined;
    try {
      check();
      resolve?.();
    } catch (error) {
      reject?.(error);
    }
  };
  return {
    finished: settle,
    lost(tid, reason) {
      lost(tid, reason);
      settle();
    },
    runner: {
      run(list, count) {
        check();
        return new Promise((resolve, reject) => {
          running = { resolve, reject };
          command(list, count);
        });
      },
      async dispose() {
        await dispose();
        settle();
      },
    },
  };
}

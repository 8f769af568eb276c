/**
 * Kernel threads in browsers: workers from a blob. Called in a worker, that is thread 0; called in a page, which may not sleep,
 * all threads are workers, and the page stays free while they compute.
 */
import { CONTROL, type KernelExports, type Runner } from './platform.ts';
import { leadFromOutside, leadTeam, threadsDidNotStart } from './team.ts';
import { type ThreadStart, WORKER_LOOP } from './worker-loop.ts';

const WORKER_SOURCE = `onmessage = ({ data }) => { (${WORKER_LOOP})(data, () => postMessage(0)); close(); };`;

/** Hears of a worker's errors; the run that they end tells them, so they do not go on to the page as well. */
function listen(worker: Worker, heard: (message: string) => void): void {
  worker.onerror = (event) => {
    event.preventDefault();
    heard(event.message);
  };
}

/** Runs a text as a worker; the worker's first message means that it has started. */
async function startWorker(source: string, start?: ThreadStart): Promise<Worker> {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  let worker: Worker | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const made = new Worker(url);
      worker = made;
      made.onmessage = () => resolve(made);
      listen(made, (message) => reject(new Error(message || 'the worker did not load')));
      made.postMessage(start);
    });
  } catch (error) {
    worker?.terminate();
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Why more than one thread can't be used here; empty if it can. */
export async function obstacleToThreads(): Promise<string> {
  if (!globalThis.crossOriginIsolated) return 'the page is not cross-origin isolated (COOP and COEP headers)';
  if (typeof Worker === 'undefined') return 'this browser starts no workers here';
  try {
    (await startWorker('onmessage = () => postMessage(0)')).terminate();
    return '';
  } catch {
    return 'the page forbids workers from blobs (worker-src in its Content-Security-Policy)';
  }
}

export interface WebThreads {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  readonly tile: number;
  instantiate(memory: WebAssembly.Memory): KernelExports;
  /** All threads are workers, and the caller only gives commands. */
  readonly fromOutside: boolean;
}

/** Starts a team. */
export async function startWebThreads(options: WebThreads): Promise<Runner> {
  const { module, memory, threads, tile, instantiate, fromOutside } = options;
  const first = fromOutside ? 0 : 1;
  const started = await Promise.allSettled(
    Array.from({ length: threads - first }, (_, i) =>
      startWorker(WORKER_SOURCE, { module, memory, tid: i + first, threads, tile, control: CONTROL }),
    ),
  );
  const workers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const end = async (): Promise<void> => {
    for (const worker of workers) worker.terminate();
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await end();
    throw threadsDidNotStart(threads, failed.reason);
  }
  const outside = fromOutside ? leadFromOutside(memory, threads, end) : undefined;
  const { runner, lost } = outside ?? leadTeam(memory, instantiate(memory), threads, end);
  if (outside) workers[0]!.onmessage = outside.finished;
  workers.forEach((worker, i) => {
    listen(worker, (message) => lost(i + first, message || 'it failed'));
  });
  return runner;
}

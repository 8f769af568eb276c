/** Kernel threads in Node: workers that wait on a command cell in shared memory; the calling thread is thread 0. */
import { Worker } from 'node:worker_threads';
import { CONTROL, type KernelExports, type Runner } from './platform.ts';
import { leadTeam, threadsDidNotStart } from './team.ts';
import { type ThreadStart, WORKER_LOOP } from './worker-loop.ts';

const WORKER_SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
(${WORKER_LOOP})(workerData, () => parentPort.postMessage('ready'));
`;

export async function startThreads(options: {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  readonly tile: number;
  readonly instantiate: (memory: WebAssembly.Memory) => KernelExports;
}): Promise<Runner> {
  const { module, memory, threads, tile, instantiate } = options;
  const workers: Worker[] = [];
  const end = async (): Promise<void> => {
    for (const worker of workers) worker.removeAllListeners('exit');
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  try {
    for (let tid = 1; tid < threads; tid++) {
      const start: ThreadStart = { module, memory, tid, threads, tile, control: CONTROL };
      // Flags of the process, such as --input-type=module, are not for this text.
      workers.push(new Worker(WORKER_SOURCE, { eval: true, execArgv: [], workerData: start }));
    }
    await Promise.all(workers.map(started));
  } catch (error) {
    await end();
    throw threadsDidNotStart(threads, error);
  }
  const { runner, lost } = leadTeam(memory, instantiate(memory), threads, end);
  workers.forEach((worker, i) => {
    worker.on('error', ({ message }) => lost(i + 1, message));
    worker.on('exit', (code) => lost(i + 1, `it ended with code ${code}`));
  });
  return runner;
}

/** Resolves when a worker waits for commands. */
function started(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number): void => reject(new Error(`it ended with code ${code}`));
    worker.once('error', reject);
    worker.once('exit', onExit);
    worker.once('message', () => {
      worker.off('error', reject).off('exit', onExit);
      // An idle worker sleeps on its cell and must not keep the process alive.
      worker.unref();
      resolve();
    });
  });
}

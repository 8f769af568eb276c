/** Kernel threads in Node: workers that wait on a command cell in shared memory; the calling thread is thread 0. */
import { Worker } from 'node:worker_threads';
import { CONTROL, type KernelExports, type Runner } from './platform.ts';
import { leadTeam } from './team.ts';
import { type ThreadStart, WORKER_LOOP } from './worker-loop.ts';

/** A worker that is ended from inside (process.exit) says so before it goes: the leader can't hear events while it computes. */
const WORKER_SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const { memory, control } = workerData;
const cells = new Int32Array(memory.buffer, 0, 256);
let done = false;
process.on('exit', () => {
  if (done) return;
  Atomics.store(cells, control.aborted / 4, 1);
  Atomics.notify(cells, control.generation / 4);
});
(${WORKER_LOOP})(workerData, () => parentPort.postMessage('ready'));
done = true;
`;

export async function startThreads(options: {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  readonly tile: number;
  readonly instantiate: (memory: WebAssembly.Memory) => KernelExports;
}): Promise<Runner> {
  const { module, memory, threads, tile, instantiate } = options;
  const workers = await Promise.all(
    Array.from({ length: threads - 1 }, (_, i) =>
      startWorker({ module, memory, tid: i + 1, threads, tile, control: CONTROL }),
    ),
  );
  let ending = false;
  const { runner, lost } = leadTeam(memory, instantiate(memory), threads, async () => {
    ending = true;
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
  for (const worker of workers) {
    worker.on('error', (error) => lost(error.message));
    worker.on('exit', (code) => {
      if (!ending) lost(`it ended with code ${code}`);
    });
  }
  return runner;
}

function startWorker(workerData: ThreadStart): Promise<Worker> {
  return new Promise((resolve, reject) => {
    // Flags of the process, such as --input-type=module, are not for this text.
    const worker = new Worker(WORKER_SOURCE, { eval: true, execArgv: [], workerData });
    worker.once('message', () => {
      worker.off('error', reject);
      // An idle worker sleeps on its cell and must not keep the process alive.
      worker.unref();
      resolve(worker);
    });
    worker.once('error', reject);
  });
}

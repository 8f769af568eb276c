/** Worker threads that wait on a command cell in shared memory; the calling thread is thread 0. */
import { Worker } from 'node:worker_threads';
import { CONTROL, type KernelExports, type Runner } from './platform.ts';

/** The whole program of a worker: no imports, so that it runs from a string in any bundle. */
const WORKER_SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const { module, memory, tid, threads, tile, control } = workerData;
const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
kernels.setTile(tile);
const cells = new Int32Array(memory.buffer, 0, 256);
let seen = 0;
parentPort.postMessage('ready');
for (;;) {
  Atomics.wait(cells, control.command / 4, seen);
  const command = Atomics.load(cells, control.command / 4);
  if (command === seen) continue;
  seen = command;
  const count = cells[control.count / 4];
  if (count < 0) break;
  try {
    kernels.run(cells[control.list / 4], count, tid, threads);
  } catch (error) {
    Atomics.store(cells, control.aborted / 4, 1);
    Atomics.notify(cells, control.generation / 4);
    throw error;
  }
}
`;

export async function startThreads(options: {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  readonly tile: number;
  readonly instantiate: (memory: WebAssembly.Memory) => KernelExports;
}): Promise<Runner> {
  const { module, memory, threads, tile } = options;
  const kernels = options.instantiate(memory);
  const cells = new Int32Array(memory.buffer, 0, 256);
  const workers = await Promise.all(
    Array.from({ length: threads - 1 }, (_, i) =>
      startWorker({ module, memory, tid: i + 1, threads, tile, control: CONTROL }),
    ),
  );
  const command = (list: number, count: number): void => {
    cells[CONTROL.list / 4] = list;
    cells[CONTROL.count / 4] = count;
    Atomics.add(cells, CONTROL.command / 4, 1);
    Atomics.notify(cells, CONTROL.command / 4);
  };
  let disposed = false;
  return {
    run(list, count) {
      if (disposed) throw new Error('the program was disposed');
      if (threads > 1) command(list, count);
      try {
        kernels.run(list, count, 0, threads);
      } catch (error) {
        if (!cells[CONTROL.aborted / 4]) {
          Atomics.store(cells, CONTROL.aborted / 4, 1);
          Atomics.notify(cells, CONTROL.generation / 4);
        }
        throw new Error('a kernel thread stopped; the program can no longer run', { cause: error });
      }
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      if (threads > 1) command(0, -1);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function startWorker(workerData: object): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER_SOURCE, { eval: true, workerData });
    worker.once('message', () => {
      // An idle worker sleeps on its cell and must not keep the process alive.
      worker.unref();
      resolve(worker);
    });
    worker.once('error', reject);
  });
}

/** Kernel threads in browsers: workers from a blob; the calling thread, itself a worker, is thread 0. */
import { CONTROL, type KernelExports, type Runner } from './platform.ts';
import { leadTeam } from './team.ts';
import { type ThreadStart, WORKER_LOOP } from './worker-loop.ts';

const WORKER_SOURCE = `onmessage = ({ data }) => { (${WORKER_LOOP})(data, () => postMessage('ready')); close(); };`;

/** Why more than one thread can't be used here; empty if it can. */
export function obstacleToThreads(): string {
  if (!globalThis.crossOriginIsolated) return 'the page is not cross-origin isolated (COOP and COEP headers)';
  if ('document' in globalThis) return 'open the engine in a worker to use more';
  if (typeof Worker === 'undefined') return 'this browser starts no worker from a worker';
  return '';
}

export async function startWebThreads(options: {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  readonly tile: number;
  readonly instantiate: (memory: WebAssembly.Memory) => KernelExports;
}): Promise<Runner> {
  const { module, memory, threads, tile, instantiate } = options;
  const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: 'text/javascript' }));
  try {
    const workers = await Promise.all(
      Array.from({ length: threads - 1 }, (_, i) =>
        startWorker(url, { module, memory, tid: i + 1, threads, tile, control: CONTROL }),
      ),
    );
    const { runner, lost } = leadTeam(memory, instantiate(memory), threads, async () => {
      for (const worker of workers) worker.terminate();
    });
    for (const worker of workers) worker.onerror = (event) => lost(event.message || 'it failed');
    return runner;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function startWorker(url: string, start: ThreadStart): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url);
    worker.onmessage = () => resolve(worker);
    worker.onerror = (event) =>
      reject(new Error(`a kernel thread did not start: ${event.message || 'the worker failed'}`));
    worker.postMessage(start);
  });
}

/** Loader threads behind one function: fill this batch. Zero threads fill in process. */
import { Worker } from 'node:worker_threads';
import { UserError } from '../core/errors.ts';
import { type FillRequest, fillBatch } from './fill.ts';
import { openImageReader } from './image-reader-node.ts';
import type { WorkerReply, WorkerRequest, WorkerSetup } from './messages.ts';

export interface Pool {
  fill(batch: FillRequest): Promise<void>;
  close(): Promise<void>;
}

/** `dist/loader-worker.js`, seen from a bundle in `dist/` (or beside it) and from this source file. */
const workerUrl = new URL(`${import.meta.url.endsWith('.ts') ? '../..' : '..'}/dist/loader-worker.js`, import.meta.url);

export function openPool(setup: WorkerSetup, threads: number): Pool {
  return threads === 0 ? inProcess(setup) : inThreads(setup, threads);
}

function inProcess({ index, samples, geometry, options }: WorkerSetup): Pool {
  const reader = openImageReader(index, samples, geometry);
  return {
    fill: (batch) => fillBatch(reader.read, options, batch),
    close: async () => reader.close(),
  };
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function inThreads(setup: WorkerSetup, threads: number): Pool {
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let broken: Error | undefined;
  const fail = (message: string, hint: string): void => {
    broken ??= new UserError(message, hint, 70);
    for (const { reject } of waiting.values()) reject(broken);
    waiting.clear();
  };
  const workers: Worker[] = Array.from({ length: threads }, () => {
    const worker = new Worker(workerUrl, { workerData: setup });
    worker.on('message', ({ id, error }: WorkerReply) => {
      const { resolve, reject } = waiting.get(id) ?? {};
      waiting.delete(id);
      // Only while a batch is awaited does a thread keep the process alive.
      if (waiting.size === 0) for (const one of workers) one.unref();
      if (error === undefined) resolve?.();
      else reject?.(new UserError(`A batch could not be loaded: ${error}`, 'Check that the images are still there.'));
    });
    const died = (cause: string): void =>
      fail(`A loader thread stopped: ${cause}.`, 'Run again with --workers 0 to load in the main thread and see why.');
    worker.on('error', (error) => died((error as Error).message));
    worker.on('exit', (code) => died(`exit code ${code}`));
    worker.unref();
    return worker;
  });
  return {
    fill(batch) {
      if (broken) return Promise.reject(broken);
      return new Promise((resolve, reject) => {
        const id = nextId++;
        waiting.set(id, { resolve, reject });
        if (waiting.size === 1) for (const worker of workers) worker.ref();
        const request: WorkerRequest = { id, batch };
        workers[id % threads]!.postMessage(request);
      });
    },
    async close() {
      // A late message would unref a thread whose end is awaited, and the process would stop waiting for it.
      for (const worker of workers) worker.removeAllListeners('exit').removeAllListeners('message');
      fail('The loader was closed while a batch was awaited.', 'Close it after the last batch.');
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

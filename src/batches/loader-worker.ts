/** A loader thread: fills batches on request. */
import { parentPort, workerData } from 'node:worker_threads';
import { fillBatch } from './fill.ts';
import { openImageReader } from './image-reader-node.ts';
import type { WorkerReply, WorkerRequest, WorkerSetup } from './messages.ts';

const { index, samples, geometry, options } = workerData as WorkerSetup;
const { read } = openImageReader(index, samples, geometry);

parentPort!.on('message', async ({ id, batch }: WorkerRequest) => {
  let reply: WorkerReply = { id };
  try {
    await fillBatch(read, options, batch);
  } catch (error) {
    reply = { id, error: (error as Error).message };
  }
  parentPort!.postMessage(reply);
});

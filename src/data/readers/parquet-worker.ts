/**
 * A thread that reads a parquet file a group of rows at a time, as they are asked for. The parquet reader trusts its file,
 * and one that is damaged may keep it busy, or filling memory, for ever; a thread can be ended.
 */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../../core/errors.ts';
import { type RowGroup, readGroups } from './parquet-groups-node.ts';

/** What the thread answers: a group, the end, or why there is none. */
export type ParquetReply =
  | { readonly group: RowGroup }
  | { readonly end: true }
  | { readonly message: string; readonly hint?: string };

const port = parentPort!;
const asked = (): Promise<unknown> => once(port, 'message');
const answer = (reply: ParquetReply, transfer: ArrayBuffer[] = []): void => port.postMessage(reply, transfer);

await asked();
try {
  await readGroups(workerData as string, async (group) => {
    const next = asked();
    answer({ group }, [group.images.buffer]);
    await next;
  });
  answer({ end: true });
} catch (error) {
  const { message } = error as Error;
  answer(error instanceof UserError ? { message, hint: error.hint } : { message });
}
port.close();

import type { EncodedPart } from '../dataset.ts';
import { withFile } from '../read-at-node.ts';
import { zipEntries } from './zip-index.ts';

/** The files of an archive on disk, in its order. Throws a UserError for what is damaged, encrypted or made to do harm. */
export async function indexZip(path: string): Promise<EncodedPart[]> {
  return await withFile(path, zipEntries);
}

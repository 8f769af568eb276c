/** What a bundle says of its files: sizes and sha256 hashes, also as `SHA256SUMS`, which `sha256sum -c` reads. */
import { sha256 } from './onnx/write.ts';

export interface FileFacts {
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Sizes and hashes of files, by path. */
export async function factsOf(
  files: Iterable<readonly [path: string, bytes: Uint8Array]>,
): Promise<Record<string, FileFacts>> {
  const facts: Record<string, FileFacts> = {};
  for (const [path, bytes] of files) facts[path] = { bytes: bytes.length, sha256: await sha256(bytes) };
  return facts;
}

/** Hashes as the tools of any system write them. */
export function printSums(facts: Readonly<Record<string, FileFacts>>): string {
  return Object.entries(facts)
    .map(([path, facts]) => `${facts.sha256}  ${path}\n`)
    .join('');
}

/** Reads what `printSums` wrote: hash by path; undefined where a line is something else. */
export function parseSums(text: string): Map<string, string> | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => /^([0-9a-f]{64}) [ *](.+)$/.exec(line));
  if (rows.includes(null)) return undefined;
  return new Map(rows.map((row) => [row![2]!, row![1]!]));
}

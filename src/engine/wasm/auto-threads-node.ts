/** How many threads `auto` means in Node: the cores this process may use, by affinity and by the quota of its container. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const MAX_AUTO_THREADS = 8;
const ROOT = '/sys/fs/cgroup';

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Cores that the control groups of this process grant (Linux, versions 1 and 2), Infinity if they set no quota. Node
 * takes it into account by itself from version 22 on, but not in 20.
 */
export function quotaCores(read: (path: string) => string | undefined = readText): number {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const quotas: number[] = [];
  for (const [, controllers = '', path = '/'] of groups) {
    if (controllers !== '' && !controllers.split(',').includes('cpu')) continue;
    const base = controllers === '' ? ROOT : `${ROOT}/cpu`;
    // A quota of any group above counts too; inside a container only the root can be seen.
    const parts = path.split('/').filter(Boolean);
    for (let n = parts.length; n >= 0; n--) {
      const folder = [base, ...parts.slice(0, n)].join('/');
      const text =
        controllers === ''
          ? read(`${folder}/cpu.max`)
          : `${read(`${folder}/cpu.cfs_quota_us`) ?? ''} ${read(`${folder}/cpu.cfs_period_us`) ?? ''}`;
      const [quota, period] = (text ?? '').trim().split(/\s+/).map(Number);
      if (quota! > 0 && period! > 0) quotas.push(quota! / period!);
    }
  }
  return Math.min(Number.POSITIVE_INFINITY, ...quotas);
}

/** Threads of the engine by default. */
export function autoThreads(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quotaCores()), MAX_AUTO_THREADS));
}

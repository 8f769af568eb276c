/** Where copies that can be made anew are kept. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A folder of ours inside the operating system's folder for caches. */
export function cacheFolder(kind: 'decoded' | 'unpacked' | 'teachers' | 'hub'): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'mobileone', kind);
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'mobileone', kind);
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'mobileone', kind);
  return join(homedir(), '.cache', 'mobileone', kind);
}

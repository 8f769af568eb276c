/** Writes and compiles build/peak.wasm: multiply-adds from registers alone, in a form that V8 can merge into 256 bits. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const each = (n, text) => Array.from({ length: n }, (_, i) => text(i)).join(' ');
/** `pairs` pairs of sums: 6 fit the registers at 128 bit, 12 at 256. */
const peak = (pairs) => `
export function peak${pairs}(p: usize, n: i32): void {
  const a0 = v128.load(p), a1 = v128.load(p, 16), b0 = v128.load(p, 32), b1 = v128.load(p, 48);
  ${each(2 * pairs, (i) => `let c${i} = v128.load(p, ${64 + 16 * i});`)}
  for (let i = n; i > 0; i--) { ${each(2 * pairs, (i) => `c${i} = v128.relaxed_madd<f32>(a${i % 2}, b${i % 2}, c${i});`)} }
  ${each(2 * pairs, (i) => `v128.store(p, c${i}, ${64 + 16 * i});`)}
}`;
mkdirSync(`${root}/build`, { recursive: true });
writeFileSync(`${root}/build/peak.ts`, [5, 6, 10, 12].map(peak).join('\n'));
const { error, stderr } = await asc.main([
  'build/peak.ts',
  '--baseDir',
  root,
  '--outFile',
  'build/peak.wasm',
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--enable',
  'simd,relaxed-simd',
  '--initialMemory',
  '1',
]);
if (error) throw new Error(`${error.message}\n${stderr}`);

/** Generates the tiles and compiles both builds to dist/kernels: baseline SIMD, and relaxed SIMD (fused multiply-add). */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import './generate.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
mkdirSync(new URL('../dist/kernels', import.meta.url), { recursive: true });

for (const [name, features] of [
  ['baseline', []],
  ['relaxed', ['--enable', 'relaxed-simd']],
]) {
  const { error, stderr } = await asc.main([
    'kernels/main.ts',
    '--baseDir',
    root,
    '--outFile',
    `dist/kernels/${name}.wasm`,
    '-O3',
    '--noAssert',
    '--runtime',
    'stub',
    '--enable',
    'simd',
    '--enable',
    'threads',
    ...features,
    '--importMemory',
    '--sharedMemory',
    '--initialMemory',
    '1',
    '--maximumMemory',
    '65536',
  ]);
  if (error) {
    console.error(stderr.toString());
    console.error(`The ${name} kernels did not compile: ${error.message}`);
    process.exit(1);
  }
}

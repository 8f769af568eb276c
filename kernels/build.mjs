/**
 * Generates the tiles and compiles all builds to dist/kernels: baseline SIMD, relaxed SIMD (fused multiply-add), and wide (relaxed, for
 * 256 bits); and the first two once more with what a MobileOne's inference needs only, for web pages that classify.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { generate } from './generate.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
mkdirSync(new URL('../dist/kernels', import.meta.url), { recursive: true });

const RELAXED = ['--enable', 'relaxed-simd'];
for (const [name, { wide = false, full = true, features = RELAXED }] of Object.entries({
  wide: { wide: true },
  relaxed: {},
  baseline: { features: [] },
  'relaxed-inference': { full: false },
  'baseline-inference': { full: false, features: [] },
})) {
  generate({ wide, full });
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

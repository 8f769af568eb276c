/** Chooses the kernels for this machine: the fastest build that computes right. */

import { OPS } from '../../graph/ops.ts';
import { type CompiledKernels, compileKernels, HAS_REVECTORIZER, type SimdBuild } from './compile-node.ts';
import { RULES } from './lower/rules.ts';
import type { Kernels } from './platform.ts';
import { sameBits } from './self-test.ts';
import { startThreads } from './threads-node.ts';
import { type Candidate, fastest } from './tile.ts';

type Compile = (build: SimdBuild) => Promise<CompiledKernels | undefined>;

const FEATURES: Readonly<Record<SimdBuild, string>> = {
  baseline: 'SIMD, 128 bit',
  relaxed: 'relaxed SIMD (fused multiply-add), 128 bit',
  wide: 'relaxed SIMD (fused multiply-add), 256 bit',
};

async function need(compile: Compile, build: SimdBuild): Promise<CompiledKernels> {
  const kernels = await compile(build);
  if (!kernels) throw new Error(`this version of Node (${process.version}) can't run the ${build} kernels`);
  return kernels;
}

/**
 * The build asked for, or the fastest; the wide build must first give the bits of the relaxed one in every case of the
 * self-test. `compile` is replaced in tests.
 */
export async function chooseKernels(
  simd: 'auto' | SimdBuild,
  wide: 'auto' | 'off',
  compile: Compile = compileKernels,
): Promise<Kernels> {
  if (simd !== 'auto') {
    const kernels = await need(compile, simd);
    const merged = simd !== 'wide' || HAS_REVECTORIZER;
    return describe(fastest(candidates(kernels)), merged ? '' : ' if V8 could merge them');
  }
  const relaxed = await compile('relaxed');
  if (!relaxed) return describe(fastest(candidates(await need(compile, 'baseline'))));
  const narrow = candidates(relaxed);
  const merged = wide === 'auto' && HAS_REVECTORIZER ? await compile('wide') : undefined;
  const best = fastest(merged ? [...narrow, ...candidates(merged)] : narrow);
  if (best.kernels.build !== 'wide') return describe(best);
  if (await sameBits(best, narrow[0]!)) return describe(best);
  return describe(fastest(narrow), ' (256 bit failed its self-test)');
}

/** The tiles to choose from: 6 × 8 needs 15 vector registers, and some versions of V8 spill it; wide has 6 × 16. */
function candidates(kernels: CompiledKernels): Candidate<CompiledKernels>[] {
  return (kernels.build === 'wide' ? [6] : [6, 4]).map((tile) => ({
    kernels,
    tile,
    instantiate: (memory) => {
      const exports = kernels.instantiate(memory);
      exports.setTile(tile);
      return exports;
    },
  }));
}

function describe({ kernels, tile, instantiate }: Candidate<CompiledKernels>, note = ''): Kernels {
  return {
    ops: OPS,
    rules: RULES,
    description: FEATURES[kernels.build] + note,
    tuning: `${tile}×${kernels.build === 'wide' ? 16 : 8} tile`,
    start: (memory, threads) => startThreads({ module: kernels.module, memory, threads, tile, instantiate }),
  };
}

/** The 256-bit path: what its self-test covers, that it finds wrong bits, and that every way of choosing works. */
import { expect, test } from 'vitest';
import * as op from '../../kernels/opcodes.ts';
import { chooseKernels } from '../../src/engine/wasm/choose-node.ts';
import { type CompiledKernels, compileKernels, HAS_REVECTORIZER } from '../../src/engine/wasm/compile-node.ts';
import { prepareGraph } from '../../src/engine/wasm/engine.ts';
import { lower } from '../../src/engine/wasm/lower/lower.ts';
import { RULES } from '../../src/engine/wasm/lower/rules.ts';
import { sameBits, selfTestCases } from '../../src/engine/wasm/self-test.ts';
import { bind } from '../../src/graph/bind.ts';

const relaxed = (await compileKernels('relaxed'))!;
const wide = (await compileKernels('wide'))!;

/** Kernels that after every run add one unit in the last place somewhere in the results. */
function wrong(kernels: CompiledKernels): CompiledKernels {
  return {
    ...kernels,
    instantiate(memory) {
      const exports = kernels.instantiate(memory);
      const words = new Int32Array(memory.buffer);
      const run: typeof exports.run = (list, ...rest) => {
        const done = exports.run(list, ...rest);
        for (let i = 1024; i < list / 4; i += 1024) words[i]! ^= 1;
        return done;
      };
      return { ...exports, run };
    },
  };
}

/** Kernels that take much longer, with the same results. */
function slow(kernels: CompiledKernels): CompiledKernels {
  return {
    ...kernels,
    instantiate(memory) {
      const exports = kernels.instantiate(memory);
      const run: typeof exports.run = (list, count, ...rest) => {
        const end = performance.now() + (count === 1 ? 30 : 0);
        const done = exports.run(list, count, ...rest);
        while (performance.now() < end);
        return done;
      };
      return { ...exports, run };
    },
  };
}

test('the self-test runs every instruction of the engine', () => {
  const used = new Set<number>();
  for (const { graph, dims } of selfTestCases()) {
    const { main, preparation } = lower(bind(prepareGraph(graph), dims), 1, { rules: RULES });
    for (const { opcode } of [...main, ...preparation]) used.add(opcode);
  }
  const missing = Object.entries(op).filter(([name, code]) => name !== 'INSTRUCTION_WORDS' && !used.has(code));
  expect(missing.map(([name]) => name)).toEqual([]);
});

test('the wide kernels give the bits of the relaxed ones, and a wrong bit is seen', async () => {
  expect(await sameBits(wide, relaxed)).toBe(true);
  expect(await sameBits(wrong(relaxed), relaxed)).toBe(false);
});

test('every path can be forced, and a failed self-test falls back to 128 bits', async () => {
  const choose = async (...args: Parameters<typeof chooseKernels>): Promise<string> => {
    const { description, tuning } = await chooseKernels(...args);
    return `${description}, ${tuning}`;
  };
  expect(await choose('baseline', 'auto')).toMatch(/^SIMD, 128 bit, [46]×8 tile$/);
  expect(await choose('relaxed', 'auto')).toMatch(/^relaxed SIMD .*, 128 bit, [46]×8 tile$/);
  expect(await choose('wide', 'auto')).toMatch(/^relaxed SIMD .*, 256 bit.*, 6×16 tile$/);
  expect(await choose('auto', 'off')).toMatch(/128 bit/);
  expect(
    await choose('auto', 'auto', async (build) => (build === 'baseline' ? compileKernels(build) : undefined)),
  ).toMatch(/^SIMD, 128 bit/);
  if (!HAS_REVECTORIZER) {
    expect(await choose('auto', 'auto')).toMatch(/128 bit/);
    return;
  }
  const builds = { baseline: undefined, relaxed: slow(relaxed) };
  expect(await choose('auto', 'auto', async (build) => ({ ...builds, wide })[build])).toMatch(/256 bit, 6×16 tile$/);
  expect(await choose('auto', 'auto', async (build) => ({ ...builds, wide: wrong(wide) })[build])).toMatch(
    /128 bit \(256 bit failed its self-test\)/,
  );
});

/** Files of 300 MB are opened in processes of their own: the peak of memory says that no part of them is held twice. */
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { modelGraph } from '../../src/checkpoint/model-file.ts';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { type StateDict, sizeOf } from '../../src/core/tensor.ts';
import { VARIANTS } from '../../src/models/mobileone.ts';
import { built, temporaryFolder } from '../e2e/cli-process.ts';
import { statePieces, torchLegacy, torchZip } from '../torch-writer.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

/** Most of it is one kernel of 268 MB, so that a copy of only one tensor would be seen. */
const HUGE = { ...VARIANTS.s1, depths: [1, 1, 1, 1], widths: [1, 1, 16, 32], num_classes: 500 } as const;

function state(): StateDict {
  const params = Object.entries(modelGraph(HUGE, 'fused').params);
  return new Map(params.map(([name, { shape }]) => [name, { shape, data: new Float32Array(sizeOf(shape)).fill(1) }]));
}

/** Peak memory in bytes of a process that opens a model. */
function peak(path: string): number {
  // Of resourceUsage().maxRSS the process that forked it is a part.
  const script = `import { readFileSync } from 'node:fs';
    import { loadModel } from ${JSON.stringify(pathToFileURL(resolve('dist/node.js')).href)};
    const model = await loadModel(process.argv[1]);
    const [, kilobytes] = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    console.log(model.state.size && kilobytes * 1024);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script, path], { encoding: 'utf8' }));
}

test.skipIf(!built || process.platform !== 'linux').each(['safetensors', 'PyTorch zip', 'PyTorch legacy'])(
  '%s (needs the build, and Linux)',
  (container) => {
    const path = join(folder, 'large');
    const { dict, storages } = statePieces(state());
    const write: Record<string, () => Uint8Array> = {
      safetensors: () => encodeSafetensors(state()),
      'PyTorch zip': () => torchZip(dict, storages),
      'PyTorch legacy': () => torchLegacy(dict, storages),
    };
    writeFileSync(path, write[container]!());
    const { size } = statSync(path);
    expect(size).toBeGreaterThan(300e6);
    const small = peak(resolve('test/golden/checkpoints/apple-train.pth.tar'));
    const large = peak(path);
    console.info(
      `${container}: ${((large - small) / size).toFixed(2)} times the ${(size / 1e6).toFixed(0)} MB of the file`,
    );
    expect(large - small).toBeLessThan(1.2 * size);
  },
);

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, type ModelFile } from '../../src/checkpoint/model-file.ts';
import { random } from '../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { prove } from '../../src/reparam/prove.ts';

const built = existsSync('dist/kernels/baseline.wasm');

test.skipIf(!built)(
  'on the wasm engine: a model is fused, proved on uint8 images, stored with its proof, read back',
  async () => {
    const config: MobileOneConfig = {
      ...VARIANTS.s4,
      depths: [1, 2, 1, 1],
      widths: [0.25, 0.25, 0.125, 0.0625],
      num_conv_branches: 3,
      se_blocks: [0, 1, 0, 1],
      num_classes: 6,
    };
    const preprocessing = {
      size: 64,
      cropPct: 1,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      interpolation: 'bilinear' as const,
    };
    const graph = mobileOne(config);
    const train = { graph, state: initialState(graph, 4) };
    const fused = fuse(graph, train.state);
    const rng = random(9);
    const shape = [4, 64, 64, 3];
    const images: Tensor = { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };

    const proof = await prove(
      await nodeWasmEngine({ threads: 1 }),
      { ...train, graph: withPreprocess(graph, preprocessing) },
      { ...fused, graph: withPreprocess(fused.graph, preprocessing) },
      [images],
    );
    expect(proof).toMatchObject({ images: 4, top1Agreement: 100, passed: true });
    expect(proof.relativeDifference).toBeLessThan(1e-5);

    const classes = ['a', 'b', 'c', 'd', 'e', 'f'];
    const model: ModelFile = { config, form: 'fused', classes, preprocessing, ...fused, proof, info: {} };
    expect(decodeModel(encodeModel(model)).proof).toEqual(proof);
  },
);

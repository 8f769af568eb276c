/** A network of a few layers in a file, for tests of what is done with models. */
import { saveModel } from '../src/checkpoint/store-node.ts';
import { DEFAULT_PREPROCESSING } from '../src/images/preprocess.ts';
import { initialState } from '../src/models/init.ts';
import { mobileOne } from '../src/models/mobileone.ts';
import { modelConfig } from '../src/models/registry.ts';

/** Writes a model in train form, five classes, images of 32 px. */
export async function saveTinyModel(path: string): Promise<void> {
  const sizes = { depths: [1, 1, 1, 1], widths: [0.25, 0.25, 0.25, 0.125], num_classes: 5 } as const;
  const config = modelConfig('s0', sizes);
  const graph = mobileOne(config);
  await saveModel(path, {
    ...{ config, graph, state: initialState(graph, 1), form: 'train', classes: ['a', 'b', 'c', 'd', 'e'], info: {} },
    preprocessing: { ...DEFAULT_PREPROCESSING, size: 32 },
  });
}

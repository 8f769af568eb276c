/** `mobileone/node`: everything of `mobileone`, with engines, images, data, training, files and export in Node. */
export { type Batch, createLoader, type Loader, type LoaderOptions } from './batches/loader-node.ts';
export { loadCheckpoint, loadModel, saveCheckpoint, saveModel, writeAtomic } from './checkpoint/store-node.ts';
export type { Dataset, Sample, SplitDataset } from './data/dataset.ts';
export { readFolder } from './data/readers/folder-node.ts';
export { nodeWasmEngine, type WasmOptions } from './engine/wasm/node.ts';
export { evaluate } from './evaluate/evaluate.ts';
export { decodeImage, evalImage } from './images/decode-node.ts';
export { DEFAULT_PREPROCESSING, type Preprocessing } from './images/preprocess.ts';
export * from './index.ts';
export { DEFAULT_RECIPE } from './recipe/fields.ts';
export type { Recipe } from './recipe/recipe.ts';
export { resolveRecipe } from './recipe/resolve.ts';
export { train } from './train/loop.ts';

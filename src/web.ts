/** `mobileone/web`: the library in a browser; `load` answers about images, the rest is what it is made of. */
export { describeBrowser } from './bench/device-web.ts';
export { type Measurement, measure, programSubject, type Subject } from './bench/measure.ts';
export { load } from './embed/load-web.ts';
export type { Ask, ClassifyOptions, ImageModel, ImageOptions, ModelDescription, Prediction } from './embed/model.ts';
export type { LoadOptions, ModelSource } from './embed/source.ts';
export { type WebWasmOptions, webWasmEngine } from './engine/wasm/web.ts';
export type { WebImage } from './images/decode-web.ts';
export type { RawPixels } from './images/raw-pixels.ts';
export * from './index.ts';

/** `mobileone/web`: the library in a browser. Call it from a worker: programs run synchronously. */
export { describeBrowser } from './bench/device-web.ts';
export { type Measurement, measure, programSubject, type Subject } from './bench/measure.ts';
export { type WebWasmOptions, webWasmEngine } from './engine/wasm/web.ts';
export * from './index.ts';

/** `mobileone/web`: the library in a browser. Call it from a worker: programs run synchronously. */
export { type WebWasmOptions, webWasmEngine } from './engine/wasm/web.ts';
export * from './index.ts';

/** Kernels imported into a bundle: their bytes in base64 (`loader` in tsdown.config.ts). */
declare module '*.wasm' {
  const base64: string;

  // biome-ignore lint/style/noDefaultExport: what the bundler makes of such a file
  export { base64 as default };
}

import { existsSync } from 'node:fs';
import { defineConfig } from 'tsdown';

const present = (entries: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file)));

/** Heavy packages stay outside the bundles: they are optional and loaded when asked for. */
const neverBundle = [
  /^onnxruntime-/,
  /^vega/,
  /^@tensorflow\//,
  /^@jax-js\//,
  /^@litertjs\//,
  /^hyparquet/,
  'flatbuffers',
  'sharp',
  'onnx-buf',
  /^@bufbuild\//,
  'yaml',
  'rolldown',
  /^node:/,
];

const common = {
  format: 'esm',
  platform: 'node',
  target: 'es2023',
  fixedExtension: false,
  hash: false,
  loader: { '.wasm': 'base64' },
  deps: { neverBundle },
} as const;

export default defineConfig([
  {
    ...common,
    entry: {
      index: 'src/index.ts',
      node: 'src/node.ts',
      web: 'src/web.ts',
      cli: 'src/cli.ts',
      'loader-worker': 'src/batches/loader-worker.ts',
      'parquet-worker': 'src/data/readers/parquet-worker.ts',
    },
    outDir: 'dist',
    dts: true,
    clean: ['dist/*.js', 'dist/*.d.ts'],
  },
  // What the format `web` puts beside a model: the library as one file with its kernels, and the script of the page, which imports it.
  {
    ...common,
    platform: 'browser',
    entry: { mobileone: 'src/embed/load-web.ts' },
    outputOptions: { codeSplitting: false },
    minify: true,
    outDir: 'dist/page',
    clean: false,
    dts: false,
  },
  {
    ...common,
    platform: 'browser',
    entry: { page: 'src/export/web/page.ts' },
    plugins: [
      {
        name: 'library-beside-the-page',
        resolveId: (id: string) => (id.endsWith('/load-web.ts') ? { id: './mobileone.js', external: true } : undefined),
      },
    ],
    outDir: 'dist/page',
    clean: false,
    dts: false,
  },
  // The page that measures in a browser: its worker is a classic script, which can load runtimes of either kind.
  ...(['page', 'worker', 'isolate'] as const).map((name) => ({
    ...common,
    format: name === 'page' ? ('esm' as const) : ('iife' as const),
    platform: 'browser' as const,
    entry: { [name]: `src/bench/phone/${name}.ts` },
    outDir: 'dist/phone',
    outputOptions: { entryFileNames: '[name].js' },
    minify: true,
    clean: false,
    dts: false,
  })),
  {
    ...common,
    platform: 'browser',
    // Both builds into this folder name shared chunks after their modules; a prefix keeps one from writing over the other.
    outputOptions: { chunkFileNames: 'browser-[name].js' },
    entry: present({ 'engine-page': 'test/engine/cases/page.ts', 'bench-page': 'bench/page.ts' }),
    outDir: 'build',
    clean: false,
    dts: false,
  },
  {
    ...common,
    entry: present({
      golden: 'test/golden/golden.ts',
      demo: 'examples/emoji/demo.ts',
      'bench-step': 'bench/step.ts',
      'bench-loader': 'bench/loader.ts',
      'bench-profile': 'bench/profile.ts',
      'bench-side': 'bench/side.ts',
      'bench-kernels': 'bench/kernels.ts',
      formats: 'bench/formats/main.ts',
      'bench-predictor': 'bench/predictor.ts',
      bench: 'bench/main.ts',
      'bundle-size': 'bench/bundle-size.ts',
    }),
    outDir: 'build',
    clean: false,
    dts: false,
  },
]);

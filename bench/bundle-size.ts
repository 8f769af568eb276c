/**
 * What `import { load } from 'mobileone/web'` adds to a page: bundled by Rolldown, minified, with the kernels of one build; and the
 * file `mobileone.js` of exported pages. Counts of bytes, after a build: `node build/bundle-size.js`.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

export interface Bytes {
  readonly raw: number;
  readonly gzip: number;
}

export interface BundleSize {
  /** The library without its kernels. */
  readonly library: Bytes;
  /** The larger of the builds of the kernels: a browser loads one. */
  readonly kernels: Bytes;
  /** Both, as a page loads them. */
  readonly page: Bytes;
  /** `mobileone.js` of an exported page: the same as one file, with both builds of the kernels. */
  readonly file: Bytes;
  /** Text of the library, to look what is in it. */
  readonly code: string;
}

/** Bytes that docs/embedding.md promises a page not to exceed. */
export const PROMISED: Bytes = { raw: 95_000, gzip: 35_000 };

const ENTRY = 'app';
const APP = "import { load } from 'mobileone/web'; globalThis.load = load;";

const bytesOf = (text: string): Bytes => ({ raw: Buffer.byteLength(text), gzip: gzipSync(text, { level: 9 }).length });

/** Bundles the built package (in the working directory) as an app would. */
export async function bundleSize(): Promise<BundleSize> {
  const build = await rolldown({
    input: ENTRY,
    platform: 'browser',
    resolve: { alias: { 'mobileone/web': resolve('dist/web.js') } },
    plugins: [
      {
        name: 'app',
        resolveId: (id) => (id === ENTRY ? ENTRY : null),
        load: (id) => (id === ENTRY ? APP : null),
      },
    ],
  });
  const { output } = await build.generate({ minify: true });
  await build.close();
  const chunks = output.flatMap((one) => (one.type === 'chunk' ? [one] : []));
  const code = chunks
    .filter(({ isDynamicEntry }) => !isDynamicEntry)
    .map((chunk) => chunk.code)
    .join('');
  const library = bytesOf(code);
  const builds = chunks.filter(({ isDynamicEntry }) => isDynamicEntry).map((chunk) => bytesOf(chunk.code));
  const kernels = builds.reduce((a, b) => (b.gzip > a.gzip ? b : a));
  const page = { raw: library.raw + kernels.raw, gzip: library.gzip + kernels.gzip };
  return { library, kernels, page, file: bytesOf(await readFile('dist/page/mobileone.js', 'utf8')), code };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { library, kernels, page, file } = await bundleSize();
  const row = (name: string, { raw, gzip }: Bytes): string =>
    `| ${name} | ${(raw / 1000).toFixed(1)} kB | ${(gzip / 1000).toFixed(1)} kB |`;
  console.log(
    [
      '| what | minified | gzip |',
      '| --- | --- | --- |',
      row("`import { load } from 'mobileone/web'`, without kernels", library),
      row('kernels: one of two builds, the one that the browser runs', kernels),
      row('**what a page loads**', page),
      row('`mobileone.js` of an exported page: one file, both builds', file),
    ].join('\n'),
  );
}

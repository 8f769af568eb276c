import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

/** A folder may import only from itself and from folders before it. */
const ORDER = [
  ...['core', 'recipe', 'images', 'data', 'batches', 'graph', 'models', 'autodiff', 'step', 'engine', 'checkpoint'],
  ...['reparam', 'evaluate', 'embed', 'train', 'export', 'bench', 'studies', 'report', 'cli'],
];
/** Folders that know neither Node nor the DOM, files named `…-node.ts` left out. */
const PURE = ['core', 'recipe', 'graph', 'models', 'autodiff', 'step', 'checkpoint', 'reparam'];
/** Packages that may be imported when a module loads, and by whom; all others are imported when they are needed. */
const STATIC_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  cli: ['commander', '@commander-js/extra-typings', 'picocolors', 'cli-table3'],
};
const ENTRIES = ['index', 'node', 'web'];
const EXPORTS = 'test/golden/exports.txt';

interface Source {
  /** Path from the repository root, with slashes. */
  readonly path: string;
  readonly text: string;
}

function sourcesUnder(folder: string): Source[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name).replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path) && !path.includes('node_modules'))
    .sort()
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

const src = sourcesUnder('src');
const all = [...src, ...['test', 'bench', 'examples'].flatMap(sourcesUnder)];
const folderOf = (path: string): string => (path.split('/').length > 2 ? path.split('/')[1]! : '');

interface Import {
  readonly from: string;
  /** Only types, which leave nothing in the built file. */
  readonly typeOnly: boolean;
  /** Inside `import(…)`. */
  readonly lazy: boolean;
}

function importsOf({ path, text }: Source): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      const clause = ts.isImportDeclaration(node) ? node.importClause?.phaseModifier : undefined;
      const typeOnly = ts.isExportDeclaration(node) ? node.isTypeOnly : clause === ts.SyntaxKind.TypeKeyword;
      found.push({ from: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly, lazy: false });
    }
    const [argument] = ts.isCallExpression(node) ? node.arguments : [];
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && argument) {
      if (ts.isStringLiteral(argument)) found.push({ from: argument.text, typeOnly: false, lazy: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2023));
  return found;
}

const imports: ReadonlyMap<Source, readonly Import[]> = new Map(src.map((source) => [source, importsOf(source)]));

test('folders import only from folders before them', () => {
  const wrong = src.flatMap((source) => {
    const own = folderOf(source.path);
    if (own === '') return [];
    if (!ORDER.includes(own)) return [`${source.path}: the folder ${own} has no place in the order`];
    return imports
      .get(source)!
      .filter(({ from }) => from.startsWith('.'))
      .map(({ from }) => posix.normalize(posix.join(dirname(source.path), from)))
      .filter((target) => target.startsWith('src/') && ORDER.indexOf(folderOf(target)) > ORDER.indexOf(own))
      .map((target) => `${source.path} imports ${target}`);
  });
  expect(wrong).toEqual([]);
  expect([...imports.values()].flat().length).toBeGreaterThan(src.length);
});

test('nothing but the entry files imports an entry file', () => {
  const wrong = src.flatMap((source) =>
    imports
      .get(source)!
      .map(({ from }) => posix.normalize(posix.join(dirname(source.path), from)))
      .filter((target) => /^src\/(index|node|web|cli)\.ts$/.test(target) && folderOf(source.path) !== '')
      .map((target) => `${source.path} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('relative imports name the file, and Node is imported only where the name says so', () => {
  const isNodeFile = (path: string): boolean =>
    /(^|[/-])(node|worker|cli)\.ts$/.test(path) || path.startsWith('src/cli/');
  const wrong = src.flatMap((source) =>
    imports
      .get(source)!
      .filter(({ from }) => (from.startsWith('.') ? !/\.(ts|json|wasm)$/.test(from) : from.startsWith('node:')))
      .filter(({ from, typeOnly }) => !(from.startsWith('node:') && (typeOnly || isNodeFile(source.path))))
      .map(({ from }) => `${source.path} imports ${from}`),
  );
  expect(wrong).toEqual([]);
});

test('packages are loaded when they are needed, not when a module loads', () => {
  const wrong = src.flatMap((source) =>
    imports
      .get(source)!
      .filter(({ from, typeOnly, lazy }) => !/^(\.|node:)/.test(from) && !typeOnly && !lazy)
      .filter(({ from }) => !STATIC_PACKAGES[folderOf(source.path) || basename(source.path, '.ts')]?.includes(from))
      .map(({ from }) => `${source.path} imports ${from}`),
  );
  expect(wrong).toEqual([]);
});

/** What the pure folders may use beyond the language: the same in Node, browsers and workers. */
const GLOBALS = `
  declare class TextEncoder { encode(text: string): Uint8Array<ArrayBuffer>; }
  declare class TextDecoder { constructor(label?: string, options?: { fatal?: boolean }); decode(bytes: Uint8Array): string; }
  declare function structuredClone<T>(value: T): T;
`;

test('the pure folders compile without Node and without the DOM', () => {
  const files = src
    .map(({ path }) => path)
    .filter((path) => PURE.includes(folderOf(path)) && !path.endsWith('-node.ts'));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts'],
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  const globals = 'pure-globals.d.ts';
  host.fileExists = (name) => name === globals || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === globals ? ts.createSourceFile(name, GLOBALS, options.target!) : getSourceFile(name, ...rest);
  const program = ts.createProgram([globals, ...files], options, host);
  const missing = files.flatMap((path) =>
    program
      .getSemanticDiagnostics(program.getSourceFile(path))
      // 2304, 2552, 2580, 2584, 2591: an unknown name (7017: of globalThis); 2307: an unknown module. Other errors are the type check's.
      .filter(({ code }) => [2304, 2552, 2580, 2584, 2591, 2307, 7017].includes(code))
      .map(({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
  );
  expect(missing).toEqual([]);
});

const lineCount = ({ text }: Source): number => text.split('\n').length - 1;

test('files are short: none over 500 lines, one over 300 says why, nine in ten are under 300', () => {
  const long = all.filter((source) => lineCount(source) > 300);
  const wrong = long
    .filter(
      (source) =>
        lineCount(source) > 500 ||
        !/^(\/\*\*(?:(?!\*\/)[\s\S])*\b(long|table)\b|\/\/.*\b(long|table)\b)/.test(source.text),
    )
    .map((source) => `${source.path} has ${lineCount(source)} lines (over 300, its header says why it is so long)`);
  expect(wrong).toEqual([]);
  expect(long.length).toBeLessThanOrEqual(all.length / 10);
});

test('there are no default exports, no enums and no files named utils', () => {
  const wrong = all
    .filter(({ path, text }) => /^export default|^(export )?(const )?enum /m.test(text) || /\butils?\.ts$/.test(path))
    .map(({ path }) => path);
  expect(wrong).toEqual([]);
});

const entries = ENTRIES.filter((entry) => existsSync(`src/${entry}.ts`));

test.skipIf(entries.length === 0)(
  'the public exports are those of the golden list (UPDATE_GOLDEN=1 writes it)',
  async () => {
    const lines: string[] = [];
    for (const entry of entries) {
      const module = (await import(`../src/${entry}.ts`)) as Record<string, unknown>;
      lines.push(
        ...Object.keys(module)
          .sort()
          .map((name) => `${entry} ${name}`),
      );
    }
    if (process.env.UPDATE_GOLDEN) writeFileSync(EXPORTS, `${lines.join('\n')}\n`);
    const golden = existsSync(EXPORTS) ? readFileSync(EXPORTS, 'utf8').trim().split('\n') : [];
    expect(lines).toEqual(golden.filter((line) => entries.includes(line.split(' ')[0]!)));
  },
);

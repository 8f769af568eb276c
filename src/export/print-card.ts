/** The card as a page to read: `README.md` of a bundle. */
import type { Proof } from '../checkpoint/proof.ts';
import type { Card, CardExport } from './card.ts';
import type { Check } from './check-files.ts';
import type { Reader } from './readers/reader.ts';

/** What the images of a check were. */
const imagesText = ({ images, generated }: Pick<Proof, 'images' | 'generated'>): string =>
  generated ? `${images} generated images (no real ones were named)` : `${images} real images`;

/** One sentence about a proof. */
export function describeProof(proof: Proof): string {
  const { top1Agreement, relativeDifference, bound, engine } = proof;
  const agreement = top1Agreement === 100 ? 'the same first class on every one' : `${top1Agreement.toFixed(2)} % agree`;
  return `${imagesText(proof)}, ${agreement}, largest logit difference ${relativeDifference.toExponential(1)} of the largest logit (bound ${bound.toExponential(0)}); ${engine}`;
}

/** One sentence about a check, made or not. */
export function describeCheck(check: Check): string {
  return 'proof' in check ? describeProof(check.proof) : `not checked: ${check.unchecked}`;
}

/** Bytes for people. */
export function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

const section = (title: string, ...lines: readonly string[]): string[] => [`## ${title}`, '', ...lines, ''];
const code = (language: string, text: string): string[] => [`\`\`\`${language}`, text.trimEnd(), '```'];
const table = (columns: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [columns, columns.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);

/** The card as Markdown. */
export function printCard(card: Card, readers: readonly Reader[]): string {
  const { architecture, exports, golden, metrics, proof } = card;
  const measured = Object.entries(metrics).map(([name, value]) => [name, String(Number(value.toFixed(4)))]);
  const formats = exports.map(({ title }) => title).join(', ');
  return [
    `# ${card.title}`,
    '',
    ...(card.description ? [card.description, ''] : []),
    `${architecture.name}, ${architecture.form} form, ${architecture.parameters.toLocaleString('en-US')} parameters, as ${formats}. Made with ${card.created_with}.`,
    '',
    ...section(
      'Files',
      ...table(
        ['file', 'format', 'size'],
        exports.map(({ main, title, precision, bytes }) => [`\`${main}\``, `${title}, ${precision}`, sizeText(bytes)]),
      ),
      '',
      ...FILES,
    ),
    ...section(
      'Input and output',
      ...exports.flatMap((one) => [`- \`${one.main}\`: ${one.input}`]),
      `- ${card.output}`,
      '- `preprocessing.json` says the same as data.',
    ),
    ...section(
      'Metrics',
      ...(measured.length > 0 ? table(['metric', 'value'], measured) : ['None were recorded.']),
      ...(card.data ? ['', `Data: ${dataText(card)}.`] : []),
    ),
    ...section(
      'Proof',
      `- Fused form against train form: ${proof.fused ? describeProof(proof.fused) : 'not recorded for this model.'}`,
      ...exports.map(({ main }) => `- \`${main}\` against the model: ${describeCheck(proof.files[main]!)}`),
      `- \`golden/\` holds ${golden.images} ${golden.source === 'real' ? 'real images' : 'generated images, since no real ones were named,'} with the logits they must give (\`golden.json\`); run them where you ship the model.`,
      '- `mobileone verify .` repeats every check; `sha256sum -c SHA256SUMS` looks at the bytes alone.',
    ),
    ...(readers.length > 0 ? section('Run it', ...readers.map(readerText)) : []),
    ...(card.command ? section('Repeat the training', ...code('sh', card.command)) : []),
    ...(card.recipe ? section('Recipe', ...code('json', JSON.stringify(card.recipe, null, 2))) : []),
    ...section('License', card.license),
    ...section('Hashes', ...hashes(card, exports), `- weights: sha256 ${card.weights_sha256}`),
  ].join('\n');
}

const dataText = ({ data, classes }: Card): string =>
  [data!.name, ...(data!.images === undefined ? [] : [`${data!.images} training images`]), `${classes} classes`].join(
    ', ',
  );

const readerText = ({ file, about, run }: Reader): string =>
  `- \`readers/${file}\`: ${about}${run ? ` \`${run}\`` : ''}`;

const hashes = ({ files }: Card, exports: readonly CardExport[]): string[] =>
  exports.flatMap((one) => one.files.map((path) => `- ${path}: sha256 ${files[path]!.sha256}`));

const FILES: readonly string[] = [
  '- `labels.txt`: class names, one a line, in the order of the logits',
  '- `preprocessing.json`: what happens to a picture before and inside the model',
  '- `golden/*.png`, `golden.json`: pictures of the right size with expected logits',
  '- `readers/`: small programs that run the files',
  '- `proof.json`, `card.json`, `SHA256SUMS`: the proofs, this page as data, the hash of every file',
];

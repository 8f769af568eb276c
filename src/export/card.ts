/** The model card of a bundle: what the model is, what to feed it, how good it is, what was proved, how to repeat it. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Proof } from '../checkpoint/proof.ts';
import { VERSION } from '../core/version.ts';
import { countParams } from '../graph/cost.ts';
import type { ExportedModel } from './format.ts';
import { inputStatement, type Task, taskOf } from './onnx/write.ts';

/** What the person who exports may add. */
export interface CardDetails {
  readonly title?: string;
  /** One paragraph in Markdown. */
  readonly description?: string;
  /** The resolved recipe, as it is stored with the run. */
  readonly recipe?: object;
  /** The command that repeats the training. */
  readonly command?: string;
  /** Terms under which the model may be used. */
  readonly license?: string;
}

/** Everything the card says, as JSON data. */
export interface Card {
  readonly title: string;
  readonly description: string | undefined;
  readonly created_with: string;
  readonly architecture: {
    readonly name: string;
    readonly form: string;
    readonly parameters: number;
    readonly config: object;
  };
  readonly input: string;
  readonly output: string;
  /** Whether an image has one of the classes, or any number of them. */
  readonly task: Task;
  readonly metrics: Readonly<Record<string, number>>;
  readonly proof: { readonly fused: Proof | undefined; readonly onnx: Proof };
  readonly recipe: object | undefined;
  readonly command: string | undefined;
  readonly license: string;
  readonly sha256: { readonly 'model.onnx': string; readonly weights: string };
}

const PROBABILITIES: Readonly<Record<Task, string>> = {
  single_label_classification: 'softmax makes them probabilities.',
  multi_label_classification:
    'an image may have any number of the classes: sigmoid makes each logit the probability of its class (above 0 is above 50 %).',
};

const NO_LICENSE =
  'Not stated. What the weights may be used for depends on the images they were trained on; say so before you share them.';

/** Collects the card of an exported and checked model; `fileHash` is the sha256 of `model.onnx`. */
export function makeCard(
  model: ModelFile,
  exported: ExportedModel,
  checks: { readonly onnx: Proof; readonly fileHash: string },
  details: CardDetails,
): Card {
  const name = model.variant ? `MobileOne-${model.variant.toUpperCase()}` : 'MobileOne';
  return {
    title: details.title ?? `${name}, ${model.classes.length} classes`,
    description: details.description,
    created_with: `mobileone ${VERSION}`,
    architecture: {
      name,
      form: exported.options.form,
      parameters: countParams(exported.graph),
      config: model.config,
    },
    input: inputStatement(model, exported.options),
    output: `Output "logits": float32 [N, ${model.classes.length}], in the order of labels.txt; ${PROBABILITIES[taskOf(model)]}`,
    task: taskOf(model),
    metrics: model.metrics ?? {},
    proof: { fused: model.proof, onnx: checks.onnx },
    recipe: details.recipe,
    command: details.command,
    license: details.license ?? model.info.license ?? NO_LICENSE,
    sha256: { 'model.onnx': checks.fileHash, weights: exported.weightsHash },
  };
}

/** One sentence about a proof. */
export function describeProof({ images, generated, top1Agreement, relativeDifference, bound, engine }: Proof): string {
  const agreement = top1Agreement === 100 ? 'the same first class on every one' : `${top1Agreement.toFixed(2)} % agree`;
  return `${images} ${generated ? 'generated' : 'real'} images, ${agreement}, largest logit difference ${relativeDifference.toExponential(1)} of the largest logit (bound ${bound.toExponential(0)}); ${engine}`;
}

/** The card as Markdown (`README.md` of the bundle). */
export function printCard(card: Card): string {
  const { architecture, metrics, proof } = card;
  const rows = Object.entries(metrics).map(([name, value]) => `| ${name} | ${Number(value.toFixed(4))} |`);
  const section = (title: string, ...lines: readonly string[]): string[] => [`## ${title}`, '', ...lines, ''];
  const code = (language: string, text: string): string[] => [`\`\`\`${language}`, text.trimEnd(), '```'];
  return [
    `# ${card.title}`,
    '',
    ...(card.description ? [card.description, ''] : []),
    `${architecture.name}, ${architecture.form} form, ${architecture.parameters.toLocaleString('en-US')} parameters, ONNX. Made with ${card.created_with}.`,
    '',
    ...section('Input and output', card.input, '', card.output),
    ...section(
      'Metrics',
      ...(rows.length > 0 ? ['| metric | value |', '| --- | --- |', ...rows] : ['None were recorded.']),
    ),
    ...section(
      'Proof',
      `- Fused form against train form: ${proof.fused ? describeProof(proof.fused) : 'not recorded for this model.'}`,
      `- This file against the model: ${describeProof(proof.onnx)}`,
      '- `golden/` holds images with the logits they must give (`golden.json`); run them where you ship the model.',
    ),
    ...section('Files', ...FILES),
    ...section('Run it', ...code('js', RUN_SCRIPT)),
    ...(card.command ? section('Repeat the training', ...code('sh', card.command)) : []),
    ...(card.recipe ? section('Recipe', ...code('json', JSON.stringify(card.recipe, null, 2))) : []),
    ...section('License', card.license),
    ...section(
      'Hashes',
      `- model.onnx: sha256 ${card.sha256['model.onnx']}`,
      `- weights: sha256 ${card.sha256.weights}`,
    ),
  ].join('\n');
}

const FILES: readonly string[] = [
  '- `model.onnx`: the model (labels and preprocessing are in its metadata too)',
  '- `labels.txt`: class names, one a line, in the order of the logits',
  '- `preprocessing.json`: what happens to a picture before and inside the model',
  '- `golden/*.png`, `golden.json`: pictures of the right size with expected logits',
  '- `proof.json`, `card.json`: the proofs and this page as data',
];

const RUN_SCRIPT = `
import * as ort from 'onnxruntime-node'; // or onnxruntime-web
const session = await ort.InferenceSession.create('model.onnx');
const [name] = session.inputNames;
// pixels: the decoded picture, as the section "Input and output" says
const { logits } = await session.run({ [name]: new ort.Tensor('uint8', pixels, [1, size, size, channels]) });
`.trim();

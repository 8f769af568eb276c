/** The model card of a bundle: what the model is, what to feed it, how good it is, what was proved, how to repeat it. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Proof } from '../checkpoint/proof.ts';
import { VERSION } from '../core/version.ts';
import { countParams } from '../graph/cost.ts';
import type { Graph } from '../graph/graph.ts';
import type { Check } from './check-files.ts';
import type { FileFacts } from './checksums.ts';
import type { Encoded } from './encode-files.ts';
import type { Precision } from './format.ts';
import type { Golden } from './golden.ts';
import { inputStatement, type Task, taskOf } from './onnx/write.ts';

/** What the person who exports may add. */
export interface CardDetails {
  readonly title?: string;
  /** One paragraph in Markdown. */
  readonly description?: string;
  /** What it was trained on. */
  readonly data?: { readonly name: string; readonly images?: number };
  /** The resolved recipe, as it is stored with the run. */
  readonly recipe?: object;
  /** The command that repeats the training. */
  readonly command?: string;
  /** Terms under which the model may be used. */
  readonly license?: string;
}

/** One format's part of a bundle. */
export interface CardExport {
  readonly format: string;
  readonly title: string;
  /** What a user opens. */
  readonly main: string;
  readonly precision: Precision;
  /** Paths of its files. */
  readonly files: readonly string[];
  /** Of all of them. */
  readonly bytes: number;
  /** What to feed it, in a sentence. */
  readonly input: string;
}

/** `proof.json`: what was checked, by the path of the file. */
export interface BundleProof {
  /** The fused form against the train form. */
  readonly fused: Proof | null;
  readonly files: Readonly<Record<string, Check>>;
}

/** Everything the card says, as JSON data (`card.json`). */
export interface Card {
  /** Version of the bundle's layout. */
  readonly bundle: 1;
  readonly title: string;
  readonly description?: string | undefined;
  readonly created_with: string;
  readonly architecture: {
    readonly name: string;
    readonly form: string;
    readonly parameters: number;
    readonly config: object;
  };
  readonly size: number;
  /** Whether an image has one of the classes, or any number of them. */
  readonly task: Task;
  readonly classes: number;
  readonly exports: readonly CardExport[];
  readonly output: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly data: CardDetails['data'] | null;
  readonly recipe: object | null;
  readonly command: string | null;
  readonly license: string;
  readonly proof: BundleProof;
  readonly golden: { readonly images: number; readonly source: Golden['source'] };
  /** sha256 over names, shapes and values of the weights. */
  readonly weights_sha256: string;
  /** Every file but the cards and the list of hashes, which hold this. */
  readonly files: Readonly<Record<string, FileFacts>>;
}

const PROBABILITIES: Readonly<Record<Task, string>> = {
  single_label_classification: 'softmax makes them probabilities.',
  multi_label_classification:
    'an image may have any number of the classes: sigmoid makes each logit the probability of its class (above 0 is above 50 %).',
};

const NO_LICENSE =
  'Not stated. What the weights may be used for depends on the images they were trained on; say so before you share them.';

export interface CardFacts {
  readonly graph: Graph;
  readonly form: 'train' | 'fused';
  readonly size: number;
  readonly encoded: readonly Encoded[];
  readonly proof: BundleProof;
  readonly golden: Golden;
  readonly weightsHash: string;
  readonly files: Readonly<Record<string, FileFacts>>;
}

/** Collects the card of an exported and checked model. */
export function makeCard(model: ModelFile, facts: CardFacts, details: CardDetails): Card {
  const { encoded, proof, golden, files } = facts;
  const name = model.variant ? `MobileOne-${model.variant.toUpperCase()}` : 'MobileOne';
  const exports = encoded.map(({ format, exported }): CardExport => {
    const paths = [...exported.files.keys()];
    return {
      format: format.name,
      title: format.title,
      main: exported.main,
      precision: exported.options.precision,
      files: paths,
      bytes: paths.reduce((sum, path) => sum + files[path]!.bytes, 0),
      input: exported.input ?? inputStatement(model, exported.options),
    };
  });
  return {
    bundle: 1,
    title: details.title ?? `${name}, ${model.classes.length} classes`,
    description: details.description,
    created_with: `mobileone ${VERSION}`,
    architecture: { name, form: facts.form, parameters: countParams(facts.graph), config: model.config },
    size: facts.size,
    task: taskOf(model),
    classes: model.classes.length,
    exports,
    output: `Output "logits": float32 [N, ${model.classes.length}], in the order of labels.txt; ${PROBABILITIES[taskOf(model)]}`,
    metrics: model.metrics ?? {},
    data: details.data ?? null,
    recipe: details.recipe ?? null,
    command: details.command ?? null,
    license: details.license ?? model.info.license ?? NO_LICENSE,
    proof,
    golden: { images: golden.images.length, source: golden.source },
    weights_sha256: facts.weightsHash,
    files,
  };
}

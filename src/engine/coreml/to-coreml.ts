/** Inference graphs of the IR as Core ML packages: an ML Program of specification 6 (iOS 15, macOS 12), its weights in a file. */
import { UserError } from '../../core/errors.ts';
import { FLOAT16_MAX } from '../../core/float16.ts';
import { type Shape, type StateDict, sizeOf } from '../../core/tensor.ts';
import { bind, type Dims } from '../../graph/bind.ts';
import type { Graph, Node } from '../../graph/graph.ts';
import { expandBranches } from '../../graph/passes/branches.ts';
import {
  floatValue,
  intValue,
  type Operation,
  PROBABILITIES_TYPE,
  tensorType,
  textListValue,
  textValue,
  type Value,
} from './mil.ts';
import { type MilWriter, NODE_WRITERS, type Result } from './nodes.ts';
import { WEIGHTS_NAME, writePackage } from './package.ts';
import { encodeMessage } from './protobuf.ts';
import { COLOR_SPACES, FLOAT32_ARRAY, type Message } from './schema.ts';
import { type FloatType, weightWriter } from './weights.ts';

/** Specification 6 and this opset are the first whose models can be ML Programs with an image input. */
export const SPECIFICATION_VERSION = 6;
export const OPSET = 'CoreML5';

/** Outputs that say what the logits mean. */
export interface Decision {
  /** Names of the classes, each once. */
  readonly labels: readonly string[];
  /** `one`: `classLabel` and `classLabel_probs` by softmax; `several`: `probabilities` by sigmoid. */
  readonly answer: 'one' | 'several';
}

export interface ToCoremlOptions {
  /** Sizes of named dimensions; all must be given: `{ N: 1, H: 224, W: 224 }`. */
  readonly dims: Dims;
  /** What weights and values between operations are; inputs and outputs are float32. Default `fp16`. */
  readonly type?: FloatType;
  /** Adds outputs beside `logits`. */
  readonly decision?: Decision;
  readonly metadata?: Message<'Metadata'>;
  /** A sentence about an input or output, by its name. */
  readonly descriptions?: Readonly<Record<string, string>>;
}

/**
 * Writes a graph and its parameters; returns the files of the `.mlpackage` folder by path. Where the graph begins with
 * Preprocess, an image of one or three channels goes in, else numbers `[N, C, H, W]`. A RepConv in evaluation mode is
 * written branch by branch. Throws a TypeError naming a node that can't be written, or a parameter that the state lacks.
 */
export async function toCoreml(
  graph: Graph,
  state: StateDict,
  options: ToCoremlOptions,
): Promise<Map<string, Uint8Array>> {
  const expanded = graph.nodes.some(({ kind }) => kind === 'RepConv') ? expandBranches(graph) : graph;
  const weights = weightWriter();
  const block = writeBlock(expanded, state, options, weights.add);
  const { decision, metadata } = options;
  const classifier = decision?.answer === 'one' ? CLASSIFIER : {};
  const model = await encodeMessage('Model', {
    specificationVersion: SPECIFICATION_VERSION,
    description: { input: block.inputs, output: block.outputs, ...classifier, metadata },
    mlProgram: {
      version: 1,
      functions: {
        main: {
          inputs: block.parameters,
          opset: OPSET,
          block_specializations: {
            [OPSET]: { outputs: block.outputs.map(({ name }) => name!), operations: block.operations },
          },
        },
      },
    },
  });
  return await writePackage({ model, weights: weights.finish() });
}

const CLASSIFIER = { predictedFeatureName: 'classLabel', predictedProbabilitiesName: 'classLabel_probs' } as const;

interface WrittenBlock {
  /** Of the function. */
  readonly parameters: readonly Message<'MILSpec.NamedValueType'>[];
  /** Of the model. */
  readonly inputs: readonly Message<'FeatureDescription'>[];
  readonly outputs: readonly Message<'FeatureDescription'>[];
  readonly operations: readonly Operation[];
}

/** MIL's names are made of letters, digits and `_`. */
const identifier = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');

/** Constants of fewer numbers stand in the program itself, as in files of coremltools. */
const IN_FILE_FROM = 10;

function writeBlock(
  graph: Graph,
  state: StateDict,
  options: ToCoremlOptions,
  addWeight: (values: ArrayLike<number>, type: FloatType) => number,
): WrittenBlock {
  const { type = 'fp16', decision, descriptions = {} } = options;
  const { shapes } = bind(graph, options.dims);
  const operations: Operation[] = [];
  const outputNames = Object.keys(graph.outputs).map(identifier);
  const taken = new Set([...outputNames, ...Object.values(CLASSIFIER), 'probabilities']);
  const names = new Map<string, string>();
  /** In float32, an output is the value itself; else it is converted at the end. */
  const finals = new Map(Object.entries(graph.outputs).map(([name, value]) => [value, identifier(name)]));

  const writer: MilWriter = {
    type,
    nameOf: (value) => names.get(value)!,
    shapeOf: (value) => shapes.get(value)!,
    resultOf(node) {
      const value = node.outputs[0]!;
      const final = type === 'fp32' ? finals.get(value) : undefined;
      const name = final ?? writer.fresh(value);
      names.set(value, name);
      return { name, shape: shapes.get(value)!, type };
    },
    fresh(name) {
      const base = identifier(name);
      let free = base;
      for (let i = 1; taken.has(free); i++) free = `${base}_${i}`;
      taken.add(free);
      return free;
    },
    parameter(node, role) {
      const name = node.params[role];
      if (name === undefined) return undefined;
      const value = state.get(name);
      if (!value) throw new TypeError(`the state lacks the parameter "${name}"`);
      if (type === 'fp16') checkRange(name, value.data);
      return writer.floats(name, value.data, type, value.shape);
    },
    constant(name, value) {
      const free = writer.fresh(name);
      operations.push({
        type: 'const',
        outputs: [{ name: free, type: value.type }],
        attributes: { name: textValue(free), val: value },
      });
      return free;
    },
    floats(name, values, type, shape) {
      const inFile = sizeOf(shape) >= IN_FILE_FROM;
      const blobFileValue = inFile ? { fileName: WEIGHTS_NAME, offset: addWeight(values, type) } : undefined;
      return writer.constant(
        name,
        blobFileValue ? { type: tensorType(type, shape), blobFileValue } : floatValue(values, type, shape),
      );
    },
    op(operation, { name, shape, type }, inputs) {
      const given = Object.entries(inputs).filter((entry): entry is [string, string] => entry[1] !== undefined);
      operations.push({
        type: operation,
        inputs: Object.fromEntries(given.map(([key, value]) => [key, { arguments: [{ name: value }] }])),
        outputs: [{ name, type: tensorType(type, shape) }],
        attributes: { name: textValue(name) },
      });
      return name;
    },
    cast(x, result) {
      return writer.op('cast', result, { x, dtype: writer.constant(`${result.name}_dtype`, textValue(result.type)) });
    },
  };

  const inputs = graph.inputs.map(({ name, dtype }) => {
    const own = writer.fresh(name);
    const shape = shapes.get(name)!;
    names.set(name, own);
    return { name: own, ...inputOf(shape, dtype === 'uint8') };
  });
  graph.inputs.forEach(({ name, dtype }, i) => {
    if (type === 'fp16' && dtype !== 'uint8') {
      const half = { name: writer.fresh(`${name}_fp16`), shape: inputs[i]!.shape, type };
      names.set(name, writer.cast(inputs[i]!.name, half));
    }
  });
  for (const node of graph.nodes) {
    const write = NODE_WRITERS[node.kind] as ((writer: MilWriter, node: Node) => void) | undefined;
    if (!write) throw new TypeError(`node "${node.name}" (${node.kind}) can't be written as Core ML`);
    write(writer, node);
  }
  const results = Object.entries(graph.outputs).map(([name, value]): Result => {
    const result: Result = { name: identifier(name), shape: shapes.get(value)!, type: 'fp32' };
    const own = names.get(value)!;
    if (type === 'fp16') writer.cast(own, result);
    else if (own !== result.name) writer.op('identity', result, { x: own });
    return result;
  });
  const describe = (
    name: string,
    featureType: Message<'FeatureType'>,
    text = descriptions[name],
  ): Message<'FeatureDescription'> => ({ name, ...(text ? { shortDescription: text } : {}), type: featureType });
  const decided = decision ? decide(writer, operations, results, decision) : [];
  return {
    parameters: inputs.map(({ name, shape }) => ({ name, type: tensorType('fp32', shape) })),
    inputs: inputs.map(({ name, feature }) => describe(name, feature)),
    outputs: [
      ...decided.map(({ name, feature }) => describe(name, feature)),
      ...results.map(({ name, shape }) => describe(name, arrayType(shape))),
    ],
    operations,
  };
}

const arrayType = (shape: Shape): Message<'FeatureType'> => ({ multiArrayType: { shape, dataType: FLOAT32_ARRAY } });

/** Shape and type of an input: images are described `[N, H, W, C]` in the graph and are `[1, C, H, W]` in Core ML. */
function inputOf(shape: Shape, image: boolean): { shape: Shape; feature: Message<'FeatureType'> } {
  if (!image) return { shape, feature: arrayType(shape) };
  const [n, height, width, c] = shape as [number, number, number, number];
  const colorSpace = COLOR_SPACES[c];
  const planes = [n, c, height, width];
  if (colorSpace === undefined) return { shape: planes, feature: arrayType(planes) };
  if (n !== 1) throw new TypeError(`Core ML takes one image at a time, not ${n}`);
  return { shape: planes, feature: { imageType: { width, height, colorSpace } } };
}

/** Writes what follows the logits; returns the outputs. */
function decide(
  writer: MilWriter,
  operations: Operation[],
  results: readonly Result[],
  { labels, answer }: Decision,
): { name: string; feature: Message<'FeatureType'> }[] {
  const logits = results.find(({ name }) => name === 'logits');
  if (logits?.shape[1] !== labels.length || logits.shape[0] !== 1)
    throw new TypeError(`there must be logits [1, ${labels.length}], one for each label`);
  const probabilities: Result = { ...logits, name: 'probabilities' };
  if (answer === 'several') {
    writer.op('sigmoid', probabilities, { x: logits.name });
    return [{ name: 'probabilities', feature: arrayType(logits.shape) }];
  }
  const axis = writer.constant('probabilities_axis', intValue(-1));
  writer.op('softmax', probabilities, { x: logits.name, axis });
  const classes: Value = textListValue(labels);
  const { predictedFeatureName, predictedProbabilitiesName } = CLASSIFIER;
  operations.push({
    type: 'classify',
    inputs: {
      probabilities: { arguments: [{ name: probabilities.name }] },
      classes: { arguments: [{ value: classes }] },
    },
    outputs: [
      { name: predictedFeatureName, type: tensorType('string') },
      { name: predictedProbabilitiesName, type: PROBABILITIES_TYPE },
    ],
    attributes: { name: textValue('classify') },
  });
  return [
    { name: predictedFeatureName, feature: { stringType: {} } },
    { name: predictedProbabilitiesName, feature: { dictionaryType: { stringKeyType: {} } } },
  ];
}

function checkRange(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]) && Math.abs(values[i]!) >= FLOAT16_MAX + 16)
      throw new UserError(
        `The weight "${name}" holds ${values[i]!.toPrecision(4)}, which is beyond half precision (${FLOAT16_MAX}).`,
        'Export with the precision fp32.',
      );
  }
}

/**
 * Core ML packages that `to-coreml.ts` wrote, read back as graphs of the IR: what they compute can then be computed, and
 * compared, where there is no Core ML. What a package says twice must agree: types, shapes, inputs, outputs.
 */
import { type Shape, type StateDict, sizeOf, type Tensor } from '../../core/tensor.ts';
import { bind } from '../../graph/bind.ts';
import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { badProgram, readConstant, readType } from './constants.ts';
import type { Operation } from './mil.ts';
import { type PackageParts, readPackage } from './package.ts';
import { decodeMessage } from './protobuf.ts';
import { type Known, type KnownOf, type MilReader, READERS } from './readers.ts';
import { COLOR_SPACES, type Message } from './schema.ts';
import { OPSET, SPECIFICATION_VERSION } from './to-coreml.ts';

export interface CoremlModel {
  /**
   * Fixed sizes; computed in float32. The input is uint8 `[N, H, W, C]` where the program normalizes it, else float32
   * `[N, C, H, W]`. Outputs have their names in the file; `classLabel_probs` is the vector of probabilities.
   */
  readonly graph: Graph;
  /** The weights, as exact values of the numbers in the file. */
  readonly state: StateDict;
  /** Labels of the classifier, if it is one. */
  readonly labels: readonly string[] | undefined;
  /** Inputs, outputs and metadata as the file describes them. */
  readonly description: Message<'ModelDescription'>;
}

/** Reads a package whose files lie under `main`. Throws a UserError for one that is damaged or not of ours. */
export async function fromCoreml(files: ReadonlyMap<string, Uint8Array>, main = ''): Promise<CoremlModel> {
  const parts = readPackage(files, main);
  const { specificationVersion, description = {}, mlProgram } = await decodeMessage('Model', parts.model);
  if (specificationVersion !== SPECIFICATION_VERSION)
    throw badProgram(`its specification is ${specificationVersion}, not ${SPECIFICATION_VERSION}`);
  const entry = mlProgram?.functions?.main;
  const block = entry?.block_specializations?.[OPSET];
  if (!block || entry.opset !== OPSET) throw badProgram(`it has no function main of the opset ${OPSET}`);
  const [input, ...others] = entry.inputs ?? [];
  if (!input || others.length > 0) throw badProgram('it takes something else than one input');
  return { ...readBlock(input, block, parts, description), description };
}

/** A value whose shape the file states. */
interface Stated {
  readonly value: string;
  readonly shape: Shape;
  readonly what: string;
}

function readBlock(
  input: Message<'MILSpec.NamedValueType'>,
  block: Message<'MILSpec.Block'>,
  { weights }: PackageParts,
  description: Message<'ModelDescription'>,
): Omit<CoremlModel, 'description'> {
  const g = graphBuilder('coreml');
  const state = new Map<string, Tensor>();
  const known = new Map<string, Known>();
  const stated: Stated[] = [];
  let labels: readonly string[] | undefined;

  const define = (name: string | undefined, one: Known): void => {
    if (!name || known.has(name)) throw badProgram(`the name "${name}" stands for two things`);
    known.set(name, one);
  };

  const inputName = input.name ?? '';
  const { type: inputType, shape: inputShape } = readType(input.type, `the input "${inputName}"`);
  if (inputType !== 'fp32' || inputShape.length !== 4) throw badProgram(`the input "${inputName}" is ${inputType}`);
  define(inputName, { kind: 'input', name: inputName, shape: inputShape });

  const readOperation = (operation: Operation): void => {
    const { type = '', inputs = {}, outputs = [], attributes = {} } = operation;
    const [output] = outputs;
    const what = `the operation "${output?.name}" (${type})`;
    if (type === 'const') {
      define(output?.name, readConstant(attributes.val, weights, `the constant "${output?.name}"`));
      return;
    }
    const read = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
    if (!read) throw badProgram(`${what} is of a kind that mobileone never writes`);
    if (outputs.length !== (type === 'classify' ? 2 : 1)) throw badProgram(`${what} has ${outputs.length} results`);
    const result = readType(output!.type, what);

    const reader: MilReader = {
      result,
      fail: (why) => {
        throw badProgram(`${what}: ${why}`);
      },
      find(name) {
        const [binding, ...more] = inputs[name]?.arguments ?? [];
        if (!binding || more.length > 0) return undefined;
        if (binding.value) return readConstant(binding.value, weights, `${name} of ${what}`);
        return known.get(binding.name ?? '') ?? reader.fail(`its ${name} "${binding.name}" is not known`);
      },
      get: <K extends Known['kind']>(name: string, kind: K) => {
        const one = reader.find(name);
        return one?.kind === kind ? (one as KnownOf<K>) : reader.fail(`its ${name} is missing or of another kind`);
      },
      value(name) {
        const one = reader.find(name);
        if (one?.kind === 'value') return one.name;
        if (one?.kind !== 'input') return reader.fail(`its ${name} is no value`);
        known.set(one.name, { kind: 'value', name: g.input(one.name, one.shape), type: 'fp32' });
        return one.name;
      },
      image({ name, shape }) {
        const [n, c, h, w] = shape;
        known.set(name, { kind: 'image' });
        return g.input(name, [n!, h!, w!, c!], 'uint8');
      },
      shapeOf: (name) => reader.get(name, 'floats').shape,
      parameters(roles) {
        const given = Object.entries(roles).filter(([name]) => inputs[name]);
        return Object.fromEntries(
          given.map(([name, role]) => {
            const { shape, data } = reader.get(name, 'floats');
            const own = inputs[name]!.arguments![0]!.name ?? `${output!.name}.${name}`;
            g.declare({ [own]: { shape, role } });
            state.set(own, { shape, data });
            return [PARAMETER_ROLES[role] ?? role, own];
          }),
        );
      },
      node(kind, values, attrs, params) {
        if (result.type !== 'fp16' && result.type !== 'fp32') reader.fail(`its result is ${result.type}`);
        const value = g.op(kind, output!.name!, values, attrs, params);
        define(output!.name, { kind: 'value', name: value, type: result.type as 'fp16' });
        stated.push({ value, shape: result.shape, what });
      },
      define(one, index = 0) {
        define(outputs[index]!.name, one);
        if (one.kind === 'value' && index === 0) stated.push({ value: one.name, shape: result.shape, what });
      },
    };
    read(reader);
    if (type === 'classify') labels = reader.get('classes', 'texts').texts;
    if (type !== 'cast' && type !== 'classify') checkTypes(reader, Object.keys(inputs));
  };
  for (const operation of block.operations ?? []) readOperation(operation);

  const outputs: Record<string, string> = {};
  for (const name of block.outputs ?? []) {
    const one = known.get(name);
    if (one?.kind === 'value') outputs[name] = one.name;
    else if (one?.kind !== 'label') throw badProgram(`the output "${name}" is no value`);
  }
  const graph = g.build(outputs);
  const shapes = shapesOf(graph);
  for (const { value, shape, what } of stated)
    if (String(shapes.get(value)) !== String(shape))
      throw badProgram(`${what} says that its result is [${shape}], and it is [${shapes.get(value)}]`);
  checkDescription(description, inputName, inputShape, block.outputs ?? [], (name) => shapes.get(outputs[name] ?? ''));
  const classes = labels && sizeOf(shapes.get(outputs.classLabel_probs ?? '') ?? []);
  if (labels && labels.length !== classes) throw badProgram(`it has ${labels.length} labels for ${classes} classes`);
  return { graph, state, labels };
}

/** Roles of a node's parameters, where they are named otherwise than what they are. */
const PARAMETER_ROLES: Readonly<Record<string, string>> = { norm_weight: 'weight', norm_bias: 'bias' };

/** An operation computes in one type; a constant that scales the image is float32 as the image is. */
function checkTypes(reader: MilReader, inputs: readonly string[]): void {
  for (const name of inputs) {
    const one = reader.find(name);
    const type = one?.kind === 'value' || one?.kind === 'floats' ? one.type : reader.result.type;
    if (type !== reader.result.type) reader.fail(`its ${name} is ${type}, its result ${reader.result.type}`);
  }
}

function shapesOf(graph: Graph): ReadonlyMap<string, Shape> {
  try {
    return bind(graph, {}).shapes;
  } catch (error) {
    throw badProgram((error as Error).message);
  }
}

/** What the model says of its inputs and outputs must be what the program has. */
function checkDescription(
  { input = [], output = [], predictedFeatureName = '' }: Message<'ModelDescription'>,
  inputName: string,
  [n, channels, height, width]: Shape,
  outputs: readonly string[],
  shapeOf: (output: string) => Shape | undefined,
): void {
  const [first] = input;
  const { imageType, multiArrayType } = first?.type ?? {};
  const same = imageType
    ? String([1, imageType.colorSpace, imageType.height, imageType.width]) ===
      String([n, COLOR_SPACES[channels!], height, width])
    : String(multiArrayType?.shape) === String([n, channels, height, width]);
  if (input.length !== 1 || first?.name !== inputName || !same)
    throw badProgram('the input is described otherwise than the program has it');
  if (String(output.map(({ name }) => name)) !== String(outputs))
    throw badProgram('the outputs are described otherwise than the program has them');
  for (const { name = '', type = {} } of output) {
    const shape = shapeOf(name);
    if (type.multiArrayType && String(type.multiArrayType.shape) !== String(shape))
      throw badProgram(`the output "${name}" is described as [${type.multiArrayType.shape}], and it is [${shape}]`);
    if (!shape && name !== predictedFeatureName) throw badProgram(`the output "${name}" is no value`);
  }
}

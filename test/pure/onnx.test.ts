/** ONNX files, read back without a runtime. */
import { expect, test } from 'vitest';
import { decodeOnnx, encodeOnnx } from '../../src/engine/onnx/encode.ts';
import { buildOnnx, toOnnx } from '../../src/engine/onnx/to-onnx.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { branchesOf } from '../../src/graph/rep-conv.ts';
import { initialState } from '../../src/models/init.ts';
import { mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { trainMode } from '../../src/step/train-step.ts';

const config = { ...VARIANTS.s0, depths: [1, 1, 1, 1], widths: [0.1, 0.1, 0.1, 0.1], num_classes: 5 } as const;
const train = mobileOne(config);
const fused = withPreprocess(fuseGraph(train), { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.5] });

test('names, shapes, weights and metadata are those of the graph', async () => {
  const state = initialState(fused, 3);
  const model = await decodeOnnx(await toOnnx(fused, state, { dims: { N: 1, H: 64, W: 48 }, metadata: { a: 'b' } }));
  expect([model.irVersion, model.opset, model.metadata]).toEqual([10, 17, { a: 'b' }]);
  expect(model.inputs).toEqual([{ name: 'image', dtype: 'uint8', shape: ['N', 64, 48, 3] }]);
  expect(model.outputs).toEqual([{ name: 'logits', dtype: 'float32', shape: ['N', 5] }]);
  for (const [name, value] of state) expect(model.initializers.get(name)).toEqual(value);
  expect([...model.initializers.keys()].filter((name) => !state.has(name))).toEqual(['input.scale', 'input.shift']);
  expect(model.initializers.get('input.scale')!.data[1]).toBeCloseTo(1 / (255 * 0.25), 7);
  expect(model.initializers.get('input.shift')!.data[2]).toBeCloseTo(-0.6, 6);
  const stem = model.nodes.find(({ name }) => name === 'stem')!;
  expect(stem).toEqual({
    type: 'Conv',
    name: 'stem',
    inputs: ['input', 'stem.reparam_conv.weight', 'stem.reparam_conv.bias'],
    outputs: ['stem'],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 },
  });
  const defined = new Set(['image', ...model.initializers.keys()]);
  for (const node of model.nodes) {
    for (const input of node.inputs) expect(defined, `${node.name} reads ${input}`).toContain(input);
    for (const output of node.outputs) defined.add(output);
  }
});

test('bytes survive a round trip', async () => {
  const model = buildOnnx(fused, initialState(fused, 4), { layout: 'nchw' });
  const bytes = await encodeOnnx(model, '0');
  const { irVersion, opset, ...back } = await decodeOnnx(bytes);
  expect(back).toEqual(model);
  // Of a Buffer, as readFile gives it, inside a larger one.
  const inside = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(2)]).subarray(3, 3 + bytes.length);
  expect((await decodeOnnx(inside)).initializers).toEqual(model.initializers);
  expect(model.inputs[0]!.shape).toEqual(['N', 3, 'H', 'W']);
  expect(model.nodes.some(({ type }) => type === 'Transpose')).toBe(false);
  expect([irVersion, opset]).toEqual([10, 17]);
});

test('open sizes stay open, fixed ones are written', () => {
  const graph = { ...mobileOne(config, { features: true }) };
  const state = initialState(graph, 0);
  const open = buildOnnx(graph, state);
  expect(open.outputs.find(({ name }) => name === 'features.2')!.shape).toEqual(['N', 6, '', '']);
  const fixed = buildOnnx(graph, state, { dims: { N: 4, H: 64, W: 64 }, dynamicBatch: false });
  expect(fixed.outputs.find(({ name }) => name === 'features.32')!.shape).toEqual([4, 51, 2, 2]);
  expect(fixed.outputs.find(({ name }) => name === 'logits')!.shape).toEqual([4, 5]);
});

test('the train form is written branch by branch', () => {
  const { nodes } = buildOnnx(train, initialState(train, 0));
  const count = (type: string): number => nodes.filter((node) => node.type === type).length;
  const branches = train.nodes.flatMap((node) => (node.kind === 'RepConv' ? branchesOf(node) : []));
  expect(count('BatchNormalization')).toBe(branches.length);
  expect(count('Conv')).toBe(branches.filter(({ type }) => type !== 'skip').length);
  expect(nodes.map(({ name }) => name)).toContain('stages.0.0.conv_kxk.3.bn');
});

test('what ONNX does not have is refused by name', async () => {
  const training = trainMode(train);
  await expect(toOnnx(training, initialState(train, 0))).rejects.toThrow(/"stem" \(RepConv\) is in train mode/);
  await expect(toOnnx(train, new Map())).rejects.toThrow(/lacks the parameter "stem/);
  await expect(decodeOnnx(Uint8Array.of(255, 255, 255))).rejects.toThrow(/not an ONNX model/);
});

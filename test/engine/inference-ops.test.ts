/** Ops of inference: ONNX Runtime and the float64 reference agree; what is not there is refused by name. */
import { describe, expect, test } from 'vitest';
import { grad } from '../../src/autodiff/grad.ts';
import { ortEngine } from '../../src/engine/ort-node.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { bind } from '../../src/graph/bind.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { OpAttrs, OpKind } from '../../src/graph/kinds.ts';
import { expectAgreement } from './cases/agreement.ts';
import { inferenceCases, moreCases } from './cases/inference-ops.ts';

const named = [...inferenceCases(), ...moreCases()].map((one) => ({
  ...one,
  name: `${one.graph.name}, ${one.graph.inputs[0]!.shape[1]} channels`,
}));

test.each(named)('ONNX Runtime: $name', async (one) => {
  await expectAgreement([{ name: 'ort', engine: await ortEngine(), threads: 1 }], one);
});

test.each(moreCases())('the wasm engine refuses, naming the node: $graph.name', async ({ graph, dims }) => {
  const wasm = await nodeWasmEngine();
  await expect(wasm.compile(graph, { dims })).rejects.toThrow(/^node "[a-z]+".*wasm engine/);
});

const NOT_TRAINED: readonly (readonly [OpKind, object])[] = [
  ['Clip', { min: 0, max: 6 }],
  ['HardSigmoid', {}],
  ['HardSwish', {}],
  ['Swish', {}],
  ['Gelu', {}],
  ['Affine', { alpha: 2, beta: 1 }],
  ['Max', {}],
  ['Slice', { axis: 1, start: 0, end: 4 }],
  ['ChannelShuffle', { groups: 2 }],
  ['MaxPool', { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }],
  ['Transpose', { perm: [0, 1, 3, 2] }],
  ['Reshape', { shape: [0, 0, 0, 0] }],
];

describe('training', () => {
  const lossOf = (kind: OpKind, attrs: object) => {
    const g = graphBuilder('net');
    const x = g.conv('conv', g.input('input', ['N', 4, 8, 8]), 4, 4, {
      kernel_shape: [1, 1],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
      group: 1,
    });
    const y = g.op(kind, 'block.act', [x], attrs as OpAttrs[OpKind]);
    const flat = g.op('Flatten', 'flat', [g.op('GlobalAveragePool', 'pool', [y], {})], {});
    const loss = g.op('SoftmaxCrossEntropyLoss', 'loss', [flat, g.input('target', ['N', 4])], {});
    return g.build({ loss });
  };

  test.each(NOT_TRAINED)('%s is refused by name', (kind, attrs) => {
    const graph = lossOf(kind, attrs);
    bind(graph, { N: 2 });
    expect(() => grad(graph, 'loss')).toThrow(`node "block.act" (${kind}) can't be trained`);
  });

  test('an Add that broadcasts is refused', () => {
    const g = graphBuilder('net');
    g.declare({ w: { shape: [4, 4], role: 'weight' }, b: { shape: [4], role: 'bias' } });
    const y = g.op('Gemm', 'fc', [g.input('one', [1, 4])], {}, { weight: 'w', bias: 'b' });
    const sum = g.op('Add', 'sum', [g.input('x', ['N', 4]), y], {});
    const loss = g.op('SoftmaxCrossEntropyLoss', 'loss', [sum, g.input('target', ['N', 4])], {});
    const graph = grad(g.build({ loss }), 'loss');
    expect(() => bind(graph, { N: 3 })).toThrow(/another shape/);
  });
});

describe('shapes', () => {
  const node = <K extends OpKind>(kind: K, attrs: OpAttrs[K], ...shapes: number[][]) => {
    const g = graphBuilder('one');
    const inputs = shapes.map((shape, i) => g.input(`x${i}`, shape));
    return g.build({ y: g.op(kind, 'node', inputs, attrs) });
  };

  test.each([
    ['Clip', node('Clip', { min: 1, max: 0 }, [1, 2]), /min must be at most max/],
    ['Add', node('Add', {}, [2, 3], [2, 4]), /\[2, 3\] and \[2, 4\] do not broadcast/],
    ['Max', node('Max', {}, [2, 3], [1, 3], [2, 4]), /\[2, 3\] and \[2, 4\] do not broadcast/],
    ['Concat', node('Concat', { axis: 1 }, [1, 2, 3, 3], [1, 2, 4, 3]), /differ beside axis 1/],
    ['Concat', node('Concat', { axis: 4 }, [1, 2, 3, 3]), /axis 4 is none/],
    ['Split', node('Split', { axis: 1, split: [2, 2] }, [1, 5, 3, 3]), /2 \+ 2 are not the 5/],
    ['Slice', node('Slice', { axis: 1, start: 2, end: 6 }, [1, 5]), /no part of 5/],
    ['ChannelShuffle', node('ChannelShuffle', { groups: 2 }, [1, 5, 3, 3]), /do not divide into 2/],
    ['Pad', node('Pad', { pads: [0, -1, 0, 0] }, [1, 5, 3, 3]), /not be negative/],
    [
      'MaxPool',
      node('MaxPool', { kernel_shape: [3, 3], strides: [1, 1], pads: [0, 0, 0, 0] }, [1, 5, 2, 3]),
      /smaller than the window/,
    ],
    [
      'MaxPool',
      node('MaxPool', { kernel_shape: [2, 2], strides: [1, 1], pads: [2, 0, 0, 0] }, [1, 5, 4, 4]),
      /windows of 2×2 without a value/,
    ],
    ['ReduceMean', node('ReduceMean', { axes: [5], keepdims: true }, [1, 5]), /axis 5 is none/],
  ] as const)('%s checks its input', (kind, graph, message) => {
    expect(() => bind(graph, {})).toThrow(message);
    expect(() => bind(graph, {})).toThrow(`node "node" (${kind})`);
  });
});

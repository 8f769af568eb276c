/** TensorFlow.js with its wasm backend: the fused graph written with its fused convolutions, NHWC. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '../../src/core/tensor.ts';
import type { NodeOf } from '../../src/graph/graph.ts';
import type { BenchSubject } from '../subject.ts';
import type { Opened } from './peers.ts';

type Value = tf.Tensor;

export async function openTfjs({ graph, state, feeds }: BenchSubject): Promise<Opened> {
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'));
  // The package's loader fetches its binary; Node's fetch knows no files.
  const realFetch = globalThis.fetch;
  globalThis.fetch = async (url, init) =>
    String(url).endsWith('.wasm')
      ? new Response(await readFile(String(url)), { headers: { 'content-type': 'application/wasm' } })
      : realFetch(url, init);
  const backend = await import('@tensorflow/tfjs-backend-wasm');
  backend.setWasmPaths(`${join(folder, 'dist')}/`);
  await tf.setBackend('wasm');
  await tf.ready();

  const weight = (name: string | undefined): Tensor | undefined => (name ? state.get(name) : undefined);
  const constants = new Map<string, Value>();
  const constant = (name: string, make: () => Value): Value => {
    const known = constants.get(name) ?? tf.keep(make());
    constants.set(name, known);
    return known;
  };
  const readers = new Map<string, string[]>();
  for (const { inputs, kind } of graph.nodes)
    for (const value of inputs) readers.set(value, [...(readers.get(value) ?? []), kind]);
  const reluFollows = (value: string): boolean => (readers.get(value) ?? []).join() === 'Relu';

  const convolve = (node: NodeOf<'Conv'>, x: Value): Value => {
    const w = weight(node.params.weight)!;
    const { group, strides, pads } = node.attrs;
    const depthwise = group > 1;
    const filter = constant(node.params.weight!, () =>
      tf.transpose(tf.tensor(Float32Array.from(w.data), [...w.shape]), depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]),
    );
    const bias = constant(node.params.bias!, () => tf.tensor1d(Float32Array.from(weight(node.params.bias)!.data)));
    const options = {
      x: x as tf.Tensor4D,
      filter: filter as tf.Tensor4D,
      strides: [...strides] as [number, number],
      pad: pads[0],
      dimRoundingMode: 'floor' as const,
      bias,
      activation: reluFollows(node.outputs[0]!) ? ('relu' as const) : ('linear' as const),
    };
    return depthwise ? tf.fused.depthwiseConv2d(options) : tf.fused.conv2d(options);
  };
  const input = feeds.input!;
  const image = tf.keep(tf.transpose(tf.tensor(Float32Array.from(input.data), [...input.shape]), [0, 2, 3, 1]));

  const evaluate = (): Value => {
    const values = new Map<string, Value>([['input', image]]);
    for (const node of graph.nodes) {
      const x = values.get(node.inputs[0]!)!;
      values.set(node.outputs[0]!, evaluateNode(node, x));
    }
    return values.get(graph.outputs.logits!)!;
  };
  const evaluateNode = (node: (typeof graph.nodes)[number], x: Value): Value => {
    switch (node.kind) {
      case 'Conv':
        return convolve(node, x);
      case 'Relu': // fused into the convolution before it
        return x;
      case 'GlobalAveragePool':
        return tf.mean(x, [1, 2]);
      case 'Flatten':
        return x;
      case 'Gemm': {
        const w = weight(node.params.weight)!;
        const b = constant(node.params.weight!, () =>
          tf.transpose(tf.tensor(Float32Array.from(w.data), [...w.shape]), [1, 0]),
        );
        const bias = constant(node.params.bias!, () => tf.tensor1d(Float32Array.from(weight(node.params.bias)!.data)));
        return tf.fused.matMul({ a: x as tf.Tensor2D, b: b as tf.Tensor2D, bias });
      }
      default:
        throw new Error(`the TensorFlow.js side has no ${node.kind}`);
    }
  };
  return {
    runtime: `@tensorflow/tfjs-backend-wasm ${backend.version_wasm}, 1 thread`,
    run: async () => {
      const logits = tf.tidy(evaluate);
      const data = await logits.data();
      logits.dispose();
      return data;
    },
  };
}

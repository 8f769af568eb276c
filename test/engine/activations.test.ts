/** Activations from ordinary ops: the reference gives what their papers' formulas give, ONNX Runtime and every build of the wasm engine what the reference gives. */
import { describe, expect, test } from 'vitest';
import { loadState } from '../../src/engine/engine.ts';
import { ortEngine } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { ACTIVATIONS, type ActivationName, dynamicReluLines, dynamicReluOf } from '../../src/models/zoo/activations.ts';
import { TRANSCRIPTIONS } from './cases/activations.ts';
import { expectAgreement } from './cases/agreement.ts';
import type { Case } from './cases/models.ts';
import { everySetup } from './cases/setups.ts';
import { formula, stateByFormula } from './cases/zoo.ts';

const names = Object.keys(ACTIVATIONS) as ActivationName[];

function graphOf(name: ActivationName, channels: number): Graph {
  const g = graphBuilder(name);
  const x = g.input('input', ['N', channels, 'H', 'W']);
  return g.build({ y: ACTIVATIONS[name].build(g, 'act', x, channels) });
}

/** Two images of 7 × 5, three times as wide as −1 … 1, so that what saturates does. */
function caseOf(name: ActivationName, channels: number): Case {
  const graph = graphOf(name, channels);
  const input = formula('input', [2, channels, 7, 5], 0.2, 4);
  return { graph, dims: { N: 2, H: 7, W: 5 }, feeds: { input }, state: stateByFormula(graph) };
}

describe.each(names)('%s', (name) => {
  test.each([16, 20])('is what its paper says, with %i channels', async (channels) => {
    const { graph, dims, feeds, state } = caseOf(name, channels);
    const program = await createReferenceEngine().compile(graph, { dims });
    loadState(program, state);
    const { y } = await program.run(feeds);
    const values = Array.from(feeds.input!.data);
    const expected = [0, 1].flatMap((n) => {
      const image = Array.from({ length: channels }, (_, c) =>
        values.slice((n * channels + c) * 35, (n * channels + c + 1) * 35),
      );
      return TRANSCRIPTIONS[name](image, (end) => state.get(`act.${end}`)!.data).flat();
    });
    expect(Math.max(...expected.map((value, i) => Math.abs(value - y!.data[i]!)))).toBeLessThan(1e-9);
  });

  test('is the same on ONNX Runtime and on every build of the wasm engine, with one and two threads', async () => {
    const setups = [{ name: 'ort', engine: await ortEngine(), threads: 1 }, ...(await everySetup())];
    for (const channels of [16, 20]) await expectAgreement(setups, caseOf(name, channels));
  });
});

test('Dynamic ReLU takes its lines from any vector: here from a token of another width', async () => {
  const g = graphBuilder('lines');
  const [x, token] = [g.input('input', ['N', 12, 'H', 'W']), g.input('token', ['N', 24, 1, 1])];
  const lines = dynamicReluLines(g, 'act', token, { from: 24, hidden: 6, lines: 12 });
  const graph = g.build({ y: dynamicReluOf(g, 'act', x, lines) });
  const feeds = { input: formula('input', [2, 12, 3, 4]), token: formula('token', [2, 24, 1, 1]) };
  const setups = [{ name: 'ort', engine: await ortEngine(), threads: 1 }, ...(await everySetup())];
  await expectAgreement(setups, { graph, dims: { N: 2, H: 3, W: 4 }, feeds, state: stateByFormula(graph) });
});

test('a Dynamic ReLU whose last layer is all zeros is a ReLU of slopes 1 and 0', async () => {
  const { graph, dims, feeds, state } = caseOf('dynamic_relu_b', 16);
  const zeroed = new Map(state);
  for (const role of ['weight', 'bias']) {
    const { shape } = state.get(`act.fc2.${role}`)!;
    zeroed.set(`act.fc2.${role}`, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  }
  const program = await createReferenceEngine().compile(graph, { dims });
  loadState(program, zeroed);
  const { y } = await program.run(feeds);
  expect(Array.from(y!.data)).toEqual(Array.from(feeds.input!.data, (value) => Math.max(value, 0)));
});

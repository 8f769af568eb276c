/** Exported ONNX files before the judges of the format: the checker of the Python package onnx, its evaluator, and ONNX Runtime. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { FORMAT_BOUNDS } from '../../src/export/format.ts';
import { ONNX } from '../../src/export/onnx/format-node.ts';
import { asInput } from '../../src/export/onnx/runner-node.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { formRunner } from '../../src/reparam/prove.ts';
import { choices, graph, images, nameOf, preprocessing, train } from '../engine/cases/exports.ts';
import { temporaryFolder } from './cli-process.ts';

/** A Python with onnx and onnxruntime; another than python3 is named in MOBILEONE_PYTHON. */
const PYTHON = process.env.MOBILEONE_PYTHON ?? 'python3';
const hasOnnx = spawnSync(PYTHON, ['-c', 'import onnx, onnxruntime'], { stdio: 'ignore' }).status === 0;

const { folder, remove } = temporaryFolder();
afterAll(remove);

interface Checked {
  readonly results: readonly { file: string; errors: Record<string, number>; dtypes: string[] }[];
}

test.skipIf(!hasOnnx)(
  `every kind of file passes onnx.checker and gives the logits${hasOnnx ? '' : ' (skipped: no Python with onnx and onnxruntime)'}`,
  async () => {
    const ours = formRunner(createReferenceEngine(), {
      graph: withPreprocess(graph, preprocessing),
      state: train.state,
    });
    const cases: object[] = [];
    for (const choice of choices) {
      const image = choice.dynamicSize ? images[1]! : images[0]!;
      const one = choice.dynamicBatch ? image : { shape: [1, ...image.shape.slice(1)], data: image.data.slice() };
      const cut = {
        ...one,
        data: one.data.subarray(
          0,
          one.shape.reduce((a, b) => a * b, 1),
        ),
      };
      const { files, main, options } = await ONNX.encode(train, choice);
      const name = nameOf(choice).replaceAll(/\W+/g, '-');
      const feed = asInput(cut, { options, preprocessing });
      writeFileSync(join(folder, `${name}.onnx`), files.get(main)!);
      writeFileSync(join(folder, `${name}.bin`), new Uint8Array(feed.data.slice().buffer));
      const dtype = choice.preprocessing ? 'uint8' : 'float32';
      cases.push({
        file: `${name}.onnx`,
        input: { name: choice.preprocessing ? 'image' : 'input', dtype, shape: feed.shape, data: `${name}.bin` },
        logits: [...(await ours.logits(cut)).data],
        rows: feed.shape[0],
      });
    }
    await ours.dispose();
    writeFileSync(join(folder, 'cases.json'), JSON.stringify(cases));
    const script = fileURLToPath(new URL('check-onnx.py', import.meta.url));
    const { results } = JSON.parse(execFileSync(PYTHON, [script, folder], { encoding: 'utf8' })) as Checked;
    expect(results).toHaveLength(choices.length);
    for (const { file, errors, dtypes } of results) {
      const bound = file.startsWith('fp16') ? FORMAT_BOUNDS.fp16 : 1e-5;
      for (const [runtime, error] of Object.entries(errors)) expect(error, `${file} in ${runtime}`).toBeLessThan(bound);
      expect(dtypes).toEqual(['float32', 'float32']);
    }
  },
  300_000,
);

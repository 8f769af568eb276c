/** Fuses a trained model, proves it on images, and writes both forms. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import { modelGraph } from '../checkpoint/model-file.ts';
import { saveModel, writeAtomic } from '../checkpoint/store-node.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { fuse } from '../reparam/fuse.ts';
import { type Proof, type ProofOptions, prove } from '../reparam/prove.ts';

export interface ProofImages {
  readonly images: Tensor;
  readonly count: number;
}

/** Images that a proof uses at most. */
export const PROOF_IMAGES = 512;

/** Fuses a model of train form and proves it on uint8 batches; throws a UserError above the bound. */
export async function fuseWithProof(
  engine: Engine,
  model: ModelFile,
  batches: AsyncIterable<ProofImages>,
  options: Pick<ProofOptions, 'bound' | 'generated'> = {},
): Promise<{ fused: ModelFile; proof: Proof }> {
  const { graph, state } = fuse(modelGraph(model.config, 'train'), model.state);
  const forms = [
    { graph: modelGraph(model.config, 'train'), state: model.state },
    { graph, state },
  ].map((form) => ({
    ...form,
    graph: withPreprocess(form.graph, model.preprocessing),
  }));
  const proof = await prove(engine, forms[0]!, forms[1]!, atMost(batches, PROOF_IMAGES), options);
  return { fused: { ...model, form: 'fused', graph, state, proof }, proof };
}

/** Writes the fused model, its proof inside, and the proof as JSON beside it. */
export async function saveFused(path: string, proofPath: string, fused: ModelFile, proof: Proof): Promise<void> {
  await saveModel(path, fused);
  await writeAtomic(proofPath, `${JSON.stringify(proof, null, 2)}\n`);
}

/** The proof in a sentence. */
export function proofText({ images, generated, relativeDifference, bound, top1Agreement }: Proof): string {
  return `proved on ${images}${generated ? ' generated' : ''} images: logits differ by at most ${relativeDifference.toExponential(1)} of the largest (bound ${bound.toExponential(0)}), first class equal on ${top1Agreement.toFixed(2)} %`;
}

/** The first so many images of batches. */
export async function* atMost(batches: AsyncIterable<ProofImages>, limit: number): AsyncGenerator<ProofImages> {
  let images = 0;
  for await (const batch of batches) {
    const count = Math.min(batch.count, limit - images);
    images += count;
    yield { images: batch.images, count };
    if (images >= limit) return;
  }
}

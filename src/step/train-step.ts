/**
 * The training step as one graph: batch, parameters, optimizer state, EMA and scalars → loss, logits and new state.
 * The loss is part of the task, the optimizer is nodes, and an engine runs the whole in one call.
 */
import { grad } from '../autodiff/grad.ts';
import { gradName } from '../autodiff/vjp.ts';
import { freezeGraph } from '../graph/build.ts';
import { type Graph, isDecayed, isLearnable, type Node, type ValueSpec } from '../graph/graph.ts';
import type { ParamUpdate } from '../graph/kinds.ts';
import { CROSS_ENTROPY, type LossOptions, lossPart } from './losses.ts';
import { type OptimizerOptions, optimizerPart } from './optimizers.ts';

export type TrainStepOptions = OptimizerOptions & {
  /** Keep an exponential moving average of the parameters. */
  readonly ema: boolean;
  /** Default: softmax cross-entropy. */
  readonly loss?: LossOptions;
  /** The gradients' largest L2 norm over all parameters; longer ones are shortened to it. Default: none. */
  readonly clipGrad?: number;
  /** Add the gradients of several runs up before the parameters are updated. */
  readonly accumulate?: boolean;
  /** Keep BatchNorm's statistics as they are, and use them. Default: those of the batch. */
  readonly freezeBn?: boolean;
  /** A parameter's learning rate as a multiple of `lr`; default 1. */
  readonly lrScale?: (param: string) => number;
};

const scalarInput = (name: string): ValueSpec => ({ name, shape: [], dtype: 'float32' });

/** The same graph with every RepConv in train mode: batch statistics, and running ones updated by `bn_momentum`. */
export function trainMode(model: Graph): Graph {
  const nodes = model.nodes.map(
    (node): Node =>
      node.kind === 'RepConv'
        ? { ...node, inputs: [node.inputs[0]!, 'bn_momentum'], attrs: { ...node.attrs, training: true } }
        : node,
  );
  return { ...model, inputs: [...model.inputs, scalarInput('bn_momentum')], nodes };
}

/** What becomes of the gradients before the optimizer: nodes, scalar inputs, and the value that scales them. */
interface GradientPart {
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueSpec[];
  readonly scale: string | undefined;
  readonly outputs: Readonly<Record<string, string>>;
}

function gradientPart({ accumulate = false, clipGrad }: TrainStepOptions, learnable: readonly string[]): GradientPart {
  const grads = learnable.map(gradName);
  const params = Object.fromEntries(learnable.map((name) => [name, name]));
  const nodes: Node[] = [];
  if (accumulate) {
    const inputs = ['grad_keep', ...grads];
    nodes.push({
      kind: 'AccumulateGrad',
      name: 'accumulate',
      inputs,
      outputs: [],
      params,
      attrs: { params: learnable },
    });
  }
  const inputs = accumulate ? [scalarInput('grad_keep'), scalarInput('grad_scale')] : [];
  const given = accumulate ? 'grad_scale' : undefined;
  if (clipGrad === undefined) return { nodes, inputs, scale: given, outputs: {} };
  nodes.push({
    kind: 'ClipGradNorm',
    name: 'clip',
    inputs: [...grads, ...(given ? [given] : [])],
    outputs: ['clipped_scale', 'grad_norm'],
    params: {},
    attrs: { max_norm: clipGrad, params: learnable, scaled: accumulate },
  });
  return { nodes, inputs, scale: 'clipped_scale', outputs: { grad_norm: 'grad_norm' } };
}

/**
 * Builds the step of a classifier. Inputs: the model's, `target` `[N, classes]` (probabilities: smoothed or mixed
 * labels), what the loss adds (`teacher` logits), and scalars `lr`, `weight_decay`, `bn_momentum` (0.1), `step` (from 1)
 * for AdamW, and `ema_decay` if EMA is kept. To accumulate, `grad_keep` (0 in the first run, then 1) and `grad_scale`
 * (0: no update yet; in the last run 1 / their number), where `ema_decay` must be 1 as long as nothing is updated.
 * Outputs: `loss` `[]`, `logits` `[N, classes]` (of the weights before the update), `grad_norm` `[]` if it is clipped.
 */
export function trainStep(model: Graph, classes: number, options: TrainStepOptions): Graph {
  const training = options.freezeBn
    ? { ...model, inputs: [...model.inputs, scalarInput('bn_momentum')] }
    : trainMode(model);
  const logits = training.outputs.logits!;
  const learnable = Object.keys(model.params).filter((name) => isLearnable(model.params[name]!));
  const { lrScale = () => 1 } = options;
  const updates = learnable.map(
    (param): ParamUpdate => ({
      param,
      grad: gradName(param),
      decay: isDecayed(model.params[param]!),
      lr_scale: lrScale(param),
    }),
  );
  const loss = lossPart(options.loss ?? CROSS_ENTROPY, logits, classes);
  const gradients = gradientPart(options, learnable);
  const optimizer = optimizerPart(options, updates, gradients.scale);
  const withLoss: Graph = {
    ...training,
    name: `${model.name}.step`,
    inputs: [
      ...training.inputs,
      ...loss.inputs,
      scalarInput('lr'),
      scalarInput('weight_decay'),
      ...optimizer.inputs,
      ...gradients.inputs,
      ...(options.ema ? [scalarInput('ema_decay')] : []),
    ],
    nodes: [...training.nodes, loss.node],
    outputs: { loss: 'loss', logits, ...gradients.outputs },
  };
  const differentiated = grad(withLoss, 'loss');
  const ema: Node = {
    kind: 'Ema',
    name: 'ema',
    inputs: ['ema_decay'],
    outputs: [],
    params: Object.fromEntries(learnable.map((name) => [name, name])),
    attrs: { params: learnable },
  };
  const tail = [...gradients.nodes, optimizer.node, ...(options.ema ? [ema] : [])];
  return freezeGraph({ ...differentiated, nodes: [...differentiated.nodes, ...tail] });
}

/**
 * The training step as one graph: batch, parameters, optimizer state, EMA and scalars → loss, logits and new state.
 * The loss is part of the task, the optimizer is nodes, and an engine runs the whole in one call.
 */
import { grad } from '../autodiff/grad.ts';
import { gradName } from '../autodiff/vjp.ts';
import { freezeGraph } from '../graph/build.ts';
import { type Graph, isDecayed, isLearnable, type Node, type ValueSpec } from '../graph/graph.ts';
import { type OptimizerOptions, optimizerPart } from './optimizers.ts';

export type TrainStepOptions = OptimizerOptions & {
  /** Keep an exponential moving average of the parameters. */
  readonly ema: boolean;
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

/**
 * Builds the step of a classifier. Inputs: the model's, `target` `[N, classes]` (probabilities: smoothed or mixed
 * labels), and scalars `lr`, `weight_decay`, `bn_momentum` (0.1), `step` (from 1) for AdamW, and `ema_decay` if EMA is
 * kept.
 * Outputs: `loss` `[]`, `logits` `[N, classes]` (of the weights before the update).
 */
export function trainStep(model: Graph, classes: number, options: TrainStepOptions): Graph {
  const training = trainMode(model);
  const logits = training.outputs.logits!;
  const learnable = Object.keys(model.params).filter((name) => isLearnable(model.params[name]!));
  const updates = learnable.map((param) => ({ param, grad: gradName(param), decay: isDecayed(model.params[param]!) }));
  const optimizer = optimizerPart(options, updates);
  const withLoss: Graph = {
    ...training,
    name: `${model.name}.step`,
    inputs: [
      ...training.inputs,
      { name: 'target', shape: ['N', classes], dtype: 'float32' },
      scalarInput('lr'),
      scalarInput('weight_decay'),
      ...optimizer.inputs,
      ...(options.ema ? [scalarInput('ema_decay')] : []),
    ],
    nodes: [
      ...training.nodes,
      {
        kind: 'SoftmaxCrossEntropyLoss',
        name: 'loss',
        inputs: [logits, 'target'],
        outputs: ['loss'],
        params: {},
        attrs: {},
      },
    ],
    outputs: { loss: 'loss', logits },
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
  const tail = [optimizer.node, ...(options.ema ? [ema] : [])];
  return freezeGraph({ ...differentiated, nodes: [...differentiated.nodes, ...tail] });
}

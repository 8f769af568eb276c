/** The vector-Jacobian product of every differentiable op kind: which gradient node it gets, and whose gradients that makes. */
import type { Node, NodeOf } from '../graph/graph.ts';
import type { OpKind } from '../graph/kinds.ts';

export interface VjpContext {
  /** Value name of the output's gradient. */
  readonly dy: string;
  /** Whether the first input needs a gradient (false for the image). */
  readonly needsInputGrad: boolean;
  /** Value names for the gradients of the node's learnable parameters. */
  readonly paramGrads: readonly string[];
}

export interface Vjp {
  readonly nodes: readonly Node[];
  /** [input value, its gradient value] */
  readonly inputGrads: readonly (readonly [string, string])[];
}

type VjpRule<K extends OpKind> = (node: NodeOf<K>, context: VjpContext) => Vjp;

/** The value that holds the gradient of a parameter. */
export function gradName(param: string): string {
  return `grad:${param}`;
}

const inputGradName = (node: Node): string => `${node.name}.dx`;

/** A node `<name>.grad` of the given kind whose first output is dx. */
function unary<K extends OpKind>(kind: K, node: Node, inputs: readonly string[], attrs: object = {}): Vjp {
  const dx = inputGradName(node);
  const gradient = { kind, name: `${node.name}.grad`, inputs, outputs: [dx], params: {}, attrs } as unknown as Node;
  return { nodes: [gradient], inputGrads: [[node.inputs[0]!, dx]] };
}

/** A gradient node of an op with parameters: outputs dx (if needed) and the parameters' gradients. */
function withParams(kind: OpKind, node: Node, context: VjpContext, attrs: object): Vjp {
  const dx = inputGradName(node);
  const { needsInputGrad, dy, paramGrads } = context;
  const gradient = {
    kind,
    name: `${node.name}.grad`,
    inputs: [node.inputs[0]!, dy],
    outputs: [...(needsInputGrad ? [dx] : []), ...paramGrads],
    params: node.params,
    attrs: { ...node.attrs, ...attrs, needsInputGrad },
  } as unknown as Node;
  return { nodes: [gradient], inputGrads: needsInputGrad ? [[node.inputs[0]!, dx]] : [] };
}

export const VJPS: { readonly [K in OpKind]?: VjpRule<K> } = {
  RepConv: (node, context) => withParams('RepConvGrad', node, context, { forward: node.name }),
  Conv: (node, context) => withParams('ConvGrad', node, context, {}),
  Gemm: (node, context) => withParams('GemmGrad', node, context, {}),
  Relu: (node, { dy }) => unary('ReluGrad', node, [node.outputs[0]!, dy]),
  Sigmoid: (node, { dy }) => unary('SigmoidGrad', node, [node.outputs[0]!, dy]),
  GlobalAveragePool: (node, { dy }) => unary('GlobalAveragePoolGrad', node, [node.inputs[0]!, dy]),
  Flatten: (node, { dy }) => unary('FlattenGrad', node, [node.inputs[0]!, dy]),
  SoftmaxCrossEntropyLoss: (node) => unary('SoftmaxCrossEntropyLossGrad', node, node.inputs),
  BinaryCrossEntropyLoss: (node) => unary('BinaryCrossEntropyLossGrad', node, node.inputs),
  DistillationLoss: (node) => unary('DistillationLossGrad', node, node.inputs, node.attrs),
  Add: (node, { dy }) => ({ nodes: [], inputGrads: node.inputs.map((value) => [value, dy] as const) }),
  Mul: (node, { dy }) => {
    const [a, b] = node.inputs as [string, string];
    const [da, db] = [`${node.name}.da`, `${node.name}.db`];
    const gradient: NodeOf<'MulGrad'> = {
      kind: 'MulGrad',
      name: `${node.name}.grad`,
      inputs: [a, b, dy],
      outputs: [da, db],
      params: {},
      attrs: {},
    };
    return {
      nodes: [gradient],
      inputGrads: [
        [a, da],
        [b, db],
      ],
    };
  },
};

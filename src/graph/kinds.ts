/**
 * Every op kind with its attributes. Names are ONNX's where ONNX has the op; `RepConv`, `Preprocess`, the `…Grad`
 * kinds and the update kinds are ours. Inputs and outputs of each kind are listed here; shapes are in `ops.ts`.
 */

/**
 * A re-parameterizable convolution (paper §3.2): the sum of k conv+BN branches, a 1×1 conv+BN (scale) branch
 * (only where kernel > 1) and a BN-only skip branch (only where in = out and stride = 1).
 */
export interface RepConvAttrs {
  readonly in_chs: number;
  readonly out_chs: number;
  /** Square kernel size, 1 or 3; padding is (kernel - 1) / 2 · dilation. */
  readonly kernel_size: 1 | 3;
  readonly stride: 1 | 2;
  readonly dilation: number;
  /** 1 (dense) or in_chs (depthwise). */
  readonly groups: number;
  readonly num_conv_branches: number;
  readonly scale: boolean;
  readonly skip: boolean;
  readonly epsilon: number;
  /**
   * Train mode: batch statistics, which update the running ones; inputs gain `bn_momentum` (scalar). Else the running ones,
   * which stay as they are, also where a gradient is taken.
   */
  readonly training: boolean;
}

export interface ConvAttrs {
  readonly kernel_shape: readonly [number, number];
  readonly strides: readonly [number, number];
  /** [top, left, bottom, right] */
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly group: number;
}

/** Windows that slide as a convolution's do, without dilation. */
export interface PoolAttrs {
  readonly kernel_shape: readonly [number, number];
  readonly strides: readonly [number, number];
  /** [top, left, bottom, right] */
  readonly pads: readonly [number, number, number, number];
}

/** One parameter's update in an optimizer node. Its state is named in `state.ts`. */
export interface ParamUpdate {
  readonly param: string;
  readonly grad: string;
  /** Whether weight decay applies. */
  readonly decay: boolean;
  /** The parameter's own learning rate as a multiple of `lr`. */
  readonly lr_scale: number;
}

/** What both optimizers share. `scaled`: they take a last input `grad_scale` [], by which every gradient is multiplied first; at 0 nothing is updated. */
interface OptimizerAttrs {
  readonly updates: readonly ParamUpdate[];
  readonly scaled: boolean;
}

/**
 * hard · softmax cross-entropy(logits, target) + the teacher's part, with p = softmax(logits / T), q = softmax(teacher / T).
 * `soft` (Hinton et al., arXiv 1503.02531): soft · T² · mean over N of KL(q ‖ p).
 * `dist` (Huang et al., arXiv 2205.10536): T² · (inter · mean over rows of (1 − ρ(p, q)) + intra · mean over columns of (1 − ρ(p, q))), ρ Pearson's correlation.
 */
export type DistillAttrs = { readonly hard: number; readonly temperature: number } & (
  | { readonly form: 'soft'; readonly soft: number }
  | { readonly form: 'dist'; readonly inter: number; readonly intra: number }
);

type None = Readonly<Record<never, never>>;

export interface OpAttrs {
  /** (image uint8 [N, H, W, C]) → float [N, C, H, W] = (image / 255 − mean) / std */
  Preprocess: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** (x [N, C, H, W] [, bn_momentum []]) → z. params: see `rep-conv.ts` */
  RepConv: RepConvAttrs;
  /** (x) → y. params: weight [O, C/group, kh, kw], bias? [O] */
  Conv: ConvAttrs;
  /** (x) → y, with running statistics. params: weight, bias, running_mean, running_var [C] */
  BatchNormalization: { readonly epsilon: number };
  /** (x) → max(x, 0) */
  Relu: None;
  /** (x) → 1 / (1 + e^−x) */
  Sigmoid: None;
  /** (x) → x held between min and max; ReLU6 is 0 and 6 */
  Clip: { readonly min: number; readonly max: number };
  /** (x) → x / 6 + 1 / 2 held between 0 and 1, PyTorch's (ONNX has another slope by default) */
  HardSigmoid: None;
  /** (x) → x · HardSigmoid(x) */
  HardSwish: None;
  /** (x) → x · Sigmoid(x), also named SiLU */
  Swish: None;
  /** (x) → x · Φ(x), Φ the normal distribution (no approximation by tanh) */
  Gelu: None;
  /** (x [N, C, H, W]) → x where x > 0, else slope · x. params: slope [C, 1, 1] */
  PRelu: None;
  /** (a, b) → a + b, broadcast as in NumPy; trained with the same shapes only */
  Add: None;
  /** (a, b) → a · b, broadcast as in NumPy; trained with the same shapes or b [N, C, 1, 1] only */
  Mul: None;
  /** (x) → alpha · x + beta (ONNX had it so; now Mul and Add with constants) */
  Affine: { readonly alpha: number; readonly beta: number };
  /** (a, b, …) → the largest of all inputs, element by element, broadcast as in NumPy */
  Max: None;
  /** (x, …) → all inputs, one after the other along an axis */
  Concat: { readonly axis: number };
  /** (x) → parts of so many elements along an axis */
  Split: { readonly axis: number; readonly split: readonly number[] };
  /** (x) → elements start … end − 1 along an axis */
  Slice: { readonly axis: number; readonly start: number; readonly end: number };
  /** (x [N, C, H, W]) → channel i · groups + g from channel g · C / groups + i (ShuffleNet, arXiv 1707.01083) */
  ChannelShuffle: { readonly groups: number };
  /** (x [N, C, H, W]) → zeros around the image; `pads` as a convolution's */
  Pad: { readonly pads: readonly [number, number, number, number] };
  /** (x [N, C, H, W]) → the largest of each window, padding left out */
  MaxPool: PoolAttrs;
  /** (x [N, C, H, W]) → the mean of each window; padding counts as zeros if `count_include_pad` */
  AveragePool: PoolAttrs & { readonly count_include_pad: boolean };
  /** (x [N, C, H, W]) → [N, C, 1, 1] */
  GlobalAveragePool: None;
  /** (x) → mean over axes, which stay as 1 if `keepdims` */
  ReduceMean: { readonly axes: readonly number[]; readonly keepdims: boolean };
  /** (x [N, …]) → [N, product of the rest] */
  Flatten: None;
  /** (x [N, …, I]) → x · weightᵀ + bias over the last axis; trained on matrices with a bias only. params: weight [O, I], bias? [O] */
  Gemm: None;
  /** (x) → softmax over the last axis */
  Softmax: None;
  /** (a […, M, K], b […, K, N]) → a · b, the axes before broadcast as in NumPy */
  MatMul: None;
  /** (x) → axis i of the result is axis perm[i] of x */
  Transpose: { readonly perm: readonly number[] };
  /** (x [, like]) → the elements in another shape: 0 is the length of the same axis of `like` (if not given, of x), −1 (once) what is left */
  Reshape: { readonly shape: readonly number[] };
  /** (x [N, C, H, W]) → [N, b² · C, H / b, W / b]; channel (i · b + j) · C + c is pixel (i, j) of each block's channel c */
  SpaceToDepth: { readonly blocksize: number };
  /** (x [N, b² · C, H, W]) → [N, C, b · H, b · W]: SpaceToDepth undone */
  DepthToSpace: { readonly blocksize: number };
  /** (x) → (x − mean) / √(variance + epsilon) · weight + bias, both over the axes from `axis` on. params: weight, bias of those axes' shape */
  LayerNormalization: { readonly axis: number; readonly epsilon: number };
  /** () → numbers that are not learned */
  Constant: { readonly shape: readonly number[]; readonly value: readonly number[] };
  /** ([like [N, …]]) → a learned tensor (position embedding, class token); [1, …] becomes [N, …] with `like`. params: value */
  Parameter: None;
  /** (logits [N, C], target [N, C] probabilities) → mean over N of −Σ target · log softmax(logits), shape [] */
  SoftmaxCrossEntropyLoss: None;

  /** (logits [N, C], target [N, C] in 0 … 1) → mean over N · C of −target · log σ(logits) − (1 − target) · log(1 − σ(logits)), shape [] */
  BinaryCrossEntropyLoss: None;
  /** (logits [N, C], target [N, C], teacher [N, C] logits) → loss of learning from a teacher, shape []; see `DistillAttrs` */
  DistillationLoss: DistillAttrs;

  /** (logits, target) → dlogits */
  SoftmaxCrossEntropyLossGrad: None;
  /** (logits, target) → dlogits */
  BinaryCrossEntropyLossGrad: None;
  /** (logits, target, teacher) → dlogits */
  DistillationLossGrad: DistillAttrs;
  /** (x, dy) → [dx if needsInputGrad, then the gradient of each learnable parameter]. `forward` names the forward node. */
  RepConvGrad: RepConvAttrs & { readonly forward: string; readonly needsInputGrad: boolean };
  /** (x, dy) → [dx if needsInputGrad, dweight, dbias?] */
  ConvGrad: ConvAttrs & { readonly needsInputGrad: boolean };
  /** (x, dy) → [dx if needsInputGrad, dweight, dbias] */
  GemmGrad: { readonly needsInputGrad: boolean };
  /** (y, dy) → dx = dy where y > 0 */
  ReluGrad: None;
  /** (y, dy) → dx = dy · y · (1 − y) */
  SigmoidGrad: None;
  /** (a, b, dy) → [da, db] (b's gradient summed over broadcast axes) */
  MulGrad: None;
  /** (x, dy [N, C, 1, 1]) → dx */
  GlobalAveragePoolGrad: None;
  /** (x, dy) → dy reshaped to x */
  FlattenGrad: None;

  /**
   * (keep [], …grads) → `grad_sum:<param>` ← keep · grad_sum + grad, and each gradient becomes that sum, in place: the
   * gradients of micro-batches, added up. `params` names the parameters in the order of the gradients.
   */
  AccumulateGrad: { readonly params: readonly string[] };
  /**
   * (…grads [, grad_scale []]) → [clipped grad_scale [], grad_norm []] (torch.nn.utils.clip_grad_norm_): grad_norm is the
   * L2 norm of all gradients times grad_scale (1 if it is not given), and the output grad_scale · min(1, max_norm / (grad_norm + 1e-6)).
   */
  ClipGradNorm: { readonly max_norm: number; readonly params: readonly string[]; readonly scaled: boolean };
  /**
   * (lr [], weight_decay [], …grads [, grad_scale []]) → updates parameters and `momentum:<param>` in place (PyTorch's SGD):
   * g ← g + weight_decay · w (where decay); buf ← momentum · buf + g; w ← w − lr · (nesterov ? g + momentum · buf : buf).
   */
  Sgd: OptimizerAttrs & { readonly momentum: number; readonly nesterov: boolean };
  /**
   * (lr [], weight_decay [], step [], …grads [, grad_scale []]) → updates parameters, `exp_avg:<param>` and `exp_avg_sq:<param>` in place
   * (torch.optim.AdamW; Loshchilov & Hutter, arXiv 1711.05101). `step` counts the updates, this one included, from 1:
   * w ← w − lr · weight_decay · w (where decay); m ← m + (1 − beta1)(g − m); v ← v + (1 − beta2)(g² − v);
   * w ← w − lr / (1 − beta1^step) · m / (√(v / (1 − beta2^step)) + epsilon).
   */
  AdamW: OptimizerAttrs & { readonly beta1: number; readonly beta2: number; readonly epsilon: number };
  /** (ema_decay []) → state `ema:<param>` ← ema_decay · ema + (1 − ema_decay) · param, for each named parameter */
  Ema: { readonly params: readonly string[] };
}

export type OpKind = keyof OpAttrs;

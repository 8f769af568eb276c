/**
 * `mobileone`: the pure part of the library. No Node, no DOM: graphs, models, training steps, fusing, files.
 * Add `mobileone/node` or `mobileone/web` for engines and platform code.
 */
export { grad } from './autodiff/grad.ts';
export {
  decodeModel,
  type EncodeOptions,
  encodeModel,
  type ModelFile,
  type Origin,
  readModel,
  requireForm,
} from './checkpoint/model-file.ts';
export { fromTimm, type Naming, toApple, toTimm } from './checkpoint/names.ts';
export { decodeSafetensors, encodeSafetensors } from './checkpoint/safetensors.ts';
export { UserError } from './core/errors.ts';
export type { EpochMetrics, RunEvent } from './core/events.ts';
export { type Random, random } from './core/random.ts';
export { type Shape, type StateDict, scalar, sizeOf, type Tensor, tensor } from './core/tensor.ts';
export { type CoremlModel, fromCoreml } from './engine/coreml/from-coreml.ts';
export { type ToCoremlOptions, toCoreml } from './engine/coreml/to-coreml.ts';
export {
  type Capabilities,
  type Engine,
  loadState,
  type Program,
  readState,
  type Threads,
  TooLargeError,
  unsupportedNodes,
} from './engine/engine.ts';
export { type ToOnnxOptions, toOnnx } from './engine/onnx/to-onnx.ts';
export { createReferenceEngine } from './engine/reference/engine.ts';
export { type ToTfliteOptions, toTflite } from './engine/tflite/to-tflite.ts';
export { type BoundGraph, bind } from './graph/bind.ts';
export { type GraphBuilder, graphBuilder } from './graph/build.ts';
export { type Cost, cost, countParams } from './graph/cost.ts';
export { graphToSvg } from './graph/draw.ts';
export type { Graph, Node, ParamSpec } from './graph/graph.ts';
export type { OpAttrs, OpKind, RepConvAttrs } from './graph/kinds.ts';
export { expandBranches } from './graph/passes/branches.ts';
export { printGraph } from './graph/print.ts';
export { initialState } from './models/init.ts';
export { blockAttrs, type MobileOneConfig, mobileOne, VARIANTS, type Variant } from './models/mobileone.ts';
export { withPreprocess } from './models/preprocess.ts';
export { modelConfig } from './models/registry.ts';
export { ACTIVATIONS, type ActivationName } from './models/zoo/activations.ts';
export { ZOO, type ZooNet, zooGraph } from './models/zoo/registry.ts';
export { thirtyLayers } from './models/zoo/thirty-layers.ts';
export { fuse } from './reparam/fuse.ts';
export { type Proof, prove } from './reparam/prove.ts';
export { learningRate, weightDecay } from './step/schedules.ts';
export { trainMode, trainStep } from './step/train-step.ts';

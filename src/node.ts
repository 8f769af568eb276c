/** `mobileone/node`: everything of `mobileone`, with engines, images, data, training, files and export in Node. */

export { type Batch, createLoader, type Loader, type LoaderOptions } from './batches/loader-node.ts';
export { type Comparison, compareMeasurements } from './bench/compare.ts';
export { type Device, describeDevice } from './bench/device-node.ts';
export { type Measurement, measure, programSubject, type Subject } from './bench/measure.ts';
export { type Layer, type LayerTime, layersOf } from './bench/predict/layers.ts';
export { type LatencyPrediction, type LayerTable, layerTable, predictLatency } from './bench/predict/predict.ts';
export { timeLayers } from './bench/predict/time-layers.ts';
export { MODEL_BENCH, type Protocol, protocolHash, shortProtocol, type Timing } from './bench/protocol.ts';
export { makeSession, parseSession, type Session } from './bench/results/session.ts';
export { openResults, type Results } from './bench/results/store-node.ts';
export { findSubjects, type RuntimeKey } from './bench/runtimes.ts';
export { nodeRuntimes } from './bench/runtimes-node.ts';
export { type Soak, soak } from './bench/soak.ts';
export { benchModels, modelSubjects } from './bench/subjects-node.ts';
export { loadCheckpoint, loadModel, saveCheckpoint, saveModel, writeAtomic } from './checkpoint/store-node.ts';
export type { Dataset, EncodedPart, Part, PixelPart, Sample, SplitDataset } from './data/dataset.ts';
export { readSplitData } from './data/held-out-node.ts';
export { readData } from './data/readers/data-node.ts';
export { readFolder } from './data/readers/folder-node.ts';
export { load, type NodeImage } from './embed/load-node.ts';
export type { Ask, ClassifyOptions, ImageModel, ImageOptions, ModelDescription, Prediction } from './embed/model.ts';
export type { LoadOptions, ModelSource } from './embed/source.ts';
export { openTflite, type TfliteSession } from './engine/litert-node.ts';
export { hasRuntime, type OnnxSession, openOnnx, ortEngine } from './engine/ort-node.ts';
export { nodeWasmEngine, type WasmOptions } from './engine/wasm/node.ts';
export { type Evaluation, evaluate, mostConfused, worstMistakes } from './evaluate/evaluate.ts';
export { type Bundle, type BundledFile, type BundleOptions, writeBundle } from './export/bundle-node.ts';
export { type Check, type CheckOptions, checkFiles } from './export/check-files.ts';
export { COREML } from './export/coreml/format.ts';
export type { FileClassifier } from './export/file-classifier-node.ts';
export {
  type ExportedModel,
  type ExportOptions,
  FORMAT_BOUNDS,
  type Format,
  type Precision,
  type Runner,
  type RunnerOptions,
} from './export/format.ts';
export { FORMATS, formatNamed, formatOf } from './export/formats-node.ts';
export { ONNX } from './export/onnx/format-node.ts';
export { openTfliteClassifier } from './export/tflite/classifier-node.ts';
export { TFLITE } from './export/tflite/format-node.ts';
export { type Finding, type Verification, verifyBundle } from './export/verify-bundle-node.ts';
export { decodeImage, evalImage } from './images/decode-node.ts';
export { DEFAULT_PREPROCESSING, type Preprocessing } from './images/preprocess.ts';
export type { RawPixels } from './images/raw-pixels.ts';
export * from './index.ts';
export { type Phase, phaseAt } from './recipe/curriculum.ts';
export { DEFAULT_RECIPE } from './recipe/fields.ts';
export type { Recipe } from './recipe/recipe.ts';
export { resolveRecipe } from './recipe/resolve.ts';
export { confusionFigure, latencyFigure } from './report/bars.ts';
export { accuracyFigure, lossFigure } from './report/curves.ts';
export { drawFigure } from './report/draw.ts';
export { type ReportData, renderReport } from './report/html.ts';
export { figureSpec } from './report/study/figure.ts';
export { type StudyFiles, studyFiles } from './report/study/files-node.ts';
export type { Figure } from './studies/figures.ts';
export { TABLE_1, TABLE_9 } from './studies/paper.ts';
export type { StudyRecord } from './studies/record.ts';
export { type RunStudyOptions, runStudy } from './studies/run-node.ts';
export { paretoFront, type RankCorrelation, spearman } from './studies/statistics.ts';
export { STUDIES, studyNamed } from './studies/studies.ts';
export type { Candidate, Measured, Study, StudyContext, StudyResult, Table, Timed } from './studies/study.ts';
export { train } from './train/loop.ts';

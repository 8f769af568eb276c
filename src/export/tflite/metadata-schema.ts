/**
 * The parts of TensorFlow Lite's metadata format that are written, as one table. From metadata_schema.fbs (as in PyPI
 * tflite-support 0.4.4); a file carries it as a FlatBuffer of its own in the metadata entry `TFLITE_METADATA`.
 */
import type { Schema } from '../../engine/tflite/schema.ts';

export const METADATA_SCHEMA: Schema = {
  root: 'ModelMetadata',
  identifier: 'M001',
  unions: {
    ContentProperties: { FeatureProperties: 1, ImageProperties: 2 },
    ProcessUnitOptions: { NormalizationOptions: 1 },
  },
  tables: {
    ModelMetadata: {
      name: [0, 'string'],
      description: [1, 'string'],
      version: [2, 'string'],
      subgraph_metadata: [3, '[table]', 'SubGraphMetadata'],
      min_parser_version: [7, 'string'],
    },
    SubGraphMetadata: {
      name: [0, 'string'],
      input_tensor_metadata: [2, '[table]', 'TensorMetadata'],
      output_tensor_metadata: [3, '[table]', 'TensorMetadata'],
    },
    TensorMetadata: {
      name: [0, 'string'],
      description: [1, 'string'],
      content: [3, 'table', 'Content'],
      process_units: [4, '[table]', 'ProcessUnit'],
      stats: [5, 'table', 'Stats'],
      associated_files: [6, '[table]', 'AssociatedFile'],
    },
    Content: { content_properties: [1, 'union', 'ContentProperties'] },
    FeatureProperties: {},
    ImageProperties: { color_space: [0, 'int8'], default_size: [1, 'table', 'ImageSize'] },
    ImageSize: { width: [0, 'uint32'], height: [1, 'uint32'] },
    ProcessUnit: { options: [1, 'union', 'ProcessUnitOptions'] },
    NormalizationOptions: { mean: [0, '[float32]'], std: [1, '[float32]'] },
    Stats: { max: [0, '[float32]'], min: [1, '[float32]'] },
    AssociatedFile: { name: [0, 'string'], description: [1, 'string'], type: [2, 'int8'] },
  },
};

/** Numbers of enumerations. */
export const COLOR_SPACE: Readonly<Record<'UNKNOWN' | 'RGB' | 'GRAYSCALE', number>> = {
  UNKNOWN: 0,
  RGB: 1,
  GRAYSCALE: 2,
};
export const TENSOR_AXIS_LABELS = 2;

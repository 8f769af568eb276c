/** The readers of ONNX files. */
import { ONNX_KOTLIN } from './onnx-kotlin.ts';
import { ONNX_NODE } from './onnx-node.ts';
import { ONNX_PAGE } from './onnx-page.ts';
import { ONNX_PYTHON } from './onnx-python.ts';
import { ONNX_SWIFT } from './onnx-swift.ts';
import { PREPARE } from './prepare-script.ts';
import type { Reader } from './reader.ts';

export const ONNX_READERS: readonly Reader[] = [ONNX_NODE, ONNX_PAGE, PREPARE, ONNX_PYTHON, ONNX_SWIFT, ONNX_KOTLIN];

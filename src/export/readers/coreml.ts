/** The readers of Core ML packages. */
import { COREML_PYTHON } from './coreml-python.ts';
import { COREML_SWIFT } from './coreml-swift.ts';
import type { Reader } from './reader.ts';

export const COREML_READERS: readonly Reader[] = [COREML_SWIFT, COREML_PYTHON];

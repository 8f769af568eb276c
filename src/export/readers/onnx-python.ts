/** `readers/onnx.py`: an ONNX file in Python. */
import { pythonReader } from './python-script.ts';
import type { Reader } from './reader.ts';

export const ONNX_PYTHON: Reader = pythonReader({
  file: 'onnx.py',
  about: 'Python, by onnxruntime.',
  packages: 'onnxruntime pillow numpy',
  imports: ['import onnxruntime as ort', 'from PIL import Image, ImageOps'],
  open: 'SESSION = ort.InferenceSession(str(BUNDLE / MODEL), providers=["CPUExecutionProvider"])',
  run: 'return SESSION.run(["logits"], {SESSION.get_inputs()[0].name: pixels})[0][0]',
});

/** `readers/tflite.py`: a TFLite file in Python. */
import { pythonReader } from './python-script.ts';
import type { Reader } from './reader.ts';

export const TFLITE_PYTHON: Reader = pythonReader({
  file: 'tflite.py',
  about: 'Python, by the LiteRT interpreter.',
  packages: 'ai-edge-litert pillow numpy',
  imports: ['from ai_edge_litert.interpreter import Interpreter', 'from PIL import Image, ImageOps'],
  open: `
INTERPRETER = Interpreter(str(BUNDLE / MODEL))
INTERPRETER.allocate_tensors()`,
  run: `
INTERPRETER.set_tensor(INTERPRETER.get_input_details()[0]["index"], pixels)
INTERPRETER.invoke()
return INTERPRETER.get_tensor(INTERPRETER.get_output_details()[0]["index"])[0]`,
});

/** `readers/coreml.py`: a Core ML package in Python on a Mac. */
import { pythonReader } from './python-script.ts';
import type { Reader } from './reader.ts';

export const COREML_PYTHON: Reader = pythonReader({
  file: 'coreml.py',
  about: 'Python on a Mac, by coremltools. Not run where this was made: try the golden images first.',
  packages: 'coremltools pillow numpy',
  note: `Needs a Mac: Core ML predicts nowhere else, so this could not be run where the bundle was made.
Golden logits of a model in half precision differ by up to 1e-2, on the Neural Engine (ComputeUnit.ALL) too.`,
  imports: ['import coremltools as ct', 'from PIL import Image, ImageOps'],
  open: `
SESSION = ct.models.MLModel(str(BUNDLE / MODEL), compute_units=ct.ComputeUnit.CPU_ONLY)
INPUT = SESSION.get_spec().description.input[0]`,
  run: `
if INPUT.type.WhichOneof("Type") == "imageType":
    fed = Image.fromarray(np.squeeze(pixels[0].transpose(1, 2, 0)))
else:
    fed = pixels.astype(np.float32)
return np.reshape(SESSION.predict({INPUT.name: fed})["logits"], -1)`,
});

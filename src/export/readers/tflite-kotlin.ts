/** `readers/tflite.kt`: a TFLite file in an Android app. */
import { kotlinReader } from './kotlin-code.ts';
import type { Reader } from './reader.ts';

export const TFLITE_KOTLIN: Reader = kotlinReader({
  file: 'tflite.kt',
  about: 'code for an Android app, by the LiteRT interpreter. Not run on a phone: try the golden images there first.',
  dependency: 'com.google.ai.edge.litert:litert:1.4.2',
  imports: ['org.tensorflow.lite.Interpreter'],
  open: (main) => `private val model = context.assets.open("${main}").use { it.readBytes() }
    .let { ByteBuffer.allocateDirect(it.size).order(ByteOrder.nativeOrder()).apply { put(it); rewind() } }
private val interpreter = Interpreter(model, Interpreter.Options().setNumThreads(2))`,
  run: `private fun run(input: ByteBuffer): FloatArray {
    val logits = arrayOf(FloatArray(labels.size))
    interpreter.run(input, logits)
    return logits[0]
}`,
  close: 'interpreter',
});

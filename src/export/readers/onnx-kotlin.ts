/** `readers/onnx.kt`: an ONNX file in an Android app. */
import { kotlinReader } from './kotlin-code.ts';
import type { Reader } from './reader.ts';

export const ONNX_KOTLIN: Reader = kotlinReader({
  file: 'onnx.kt',
  about: 'code for an Android app, by onnxruntime-android. Not run on a phone: try the golden images there first.',
  dependency: 'com.microsoft.onnxruntime:onnxruntime-android:latest.release',
  imports: ['OnnxJavaType', 'OnnxTensor', 'OrtEnvironment'].map((name) => `ai.onnxruntime.${name}`),
  open: (main) => `private val environment = OrtEnvironment.getEnvironment()
private val session = environment.createSession(context.assets.open("${main}").use { it.readBytes() })`,
  run: `private fun run(input: ByteBuffer): FloatArray {
    val (crop, channels) = listOf(CROP.toLong(), CHANNELS.toLong())
    val shape = if (PLANES) longArrayOf(1, channels, crop, crop) else longArrayOf(1, crop, crop, channels)
    val type = if (BYTES) OnnxJavaType.UINT8 else OnnxJavaType.FLOAT
    return OnnxTensor.createTensor(environment, input, shape, type).use { tensor ->
        session.run(mapOf(session.inputNames.first() to tensor)).use { result ->
            val buffer = (result[0] as OnnxTensor).floatBuffer
            FloatArray(buffer.remaining()).also { buffer.get(it) }
        }
    }
}`,
  close: 'session',
});

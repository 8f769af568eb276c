/** `readers/*.kt`: what the Kotlin readers share. */
import type { PreprocessingDescription } from '../preprocessing.ts';
import type { Reader } from './reader.ts';

/** What the readers of different runtimes don't share. */
export interface KotlinRuntime {
  readonly file: string;
  /** The runtime, for the card. */
  readonly about: string;
  /** As Gradle takes it. */
  readonly dependency: string;
  readonly imports: readonly string[];
  /** Members of the class that open the model out of the app's assets. */
  open(main: string): string;
  /** `private fun run(input: ByteBuffer): FloatArray`, from what the file takes to its logits. */
  readonly run: string;
  /** The member to close. */
  readonly close: string;
}

const IMPORTS: readonly string[] = [
  'android.content.Context',
  'android.graphics.Bitmap',
  'java.nio.ByteBuffer',
  'java.nio.ByteOrder',
  ...['exp', 'max', 'min'].map((name) => `kotlin.math.${name}`),
];

const floats = (values: readonly number[]): string => `floatArrayOf(${values.map((value) => `${value}f`).join(', ')})`;

const text = (
  main: string,
  how: PreprocessingDescription,
  { dependency, imports, open, run, close }: KotlinRuntime,
): string => {
  const { dtype, layout } = how.inputs[main]!;
  return `// ${main} in an Android app. Put ${main} and labels.txt into src/main/assets, and into build.gradle.kts:
//     implementation("${dependency}")
// It was tried on a desktop with stand-ins for what only a phone has, not on a phone: run the golden images there first (feed one
// to "answer" as it is).
${IMPORTS.concat(imports)
  .sort()
  .map((name) => `import ${name}`)
  .join('\n')}

private const val CROP = ${how.crop}
private const val SHORT_SIDE = ${how.resize.short_side}
private const val CHANNELS = ${how.channels} // ${how.color}
private const val PLANES = ${layout === 'nchw'}
private const val BYTES = ${dtype === 'uint8'}
private val MEAN = ${floats(how.mean)}
private val STD = ${floats(how.std)}

/** Interleaved channel values, 0 to 255. */
class Pixels(val width: Int, val height: Int, val data: IntArray)

class Classifier(context: Context) : AutoCloseable {
    ${open(main).replaceAll('\n', '\n    ')}
    private val labels = context.assets.open("labels.txt").bufferedReader().readLines()

    /** The most probable classes of a picture (ARGB_8888, upright), with their probabilities. */
    fun classify(picture: Bitmap, count: Int = 5): List<Pair<String, Float>> = answer(centered(pixelsOf(picture)), count)

    /** The same of a picture that has the right size. */
    fun answer(pixels: Pixels, count: Int = 5): List<Pair<String, Float>> {
        val logits = run(input(pixels))
        ${
          how.output.activation === 'softmax'
            ? `val largest = logits.reduce { a, b -> max(a, b) }
        val powers = logits.map { exp(it - largest) }
        val sum = powers.sum()
        val chances = powers.map { it / sum }`
            : 'val chances = logits.map { 1 / (1 + exp(-it)) }'
        }
        return labels.zip(chances).sortedByDescending { it.second }.take(count)
    }

    ${run.replaceAll('\n', '\n    ')}

    override fun close() = ${close}.close()
}

/** A picture of the right size as the file takes it. */
fun input(pixels: Pixels): ByteBuffer {
    val size = CROP * CROP * CHANNELS
    val buffer = ByteBuffer.allocateDirect(if (BYTES) size else 4 * size).order(ByteOrder.nativeOrder())
    for (i in 0 until size) {
        val at = if (PLANES) (i % CHANNELS) * CROP * CROP + i / CHANNELS else i
        if (BYTES) buffer.put(at, pixels.data[i].toByte())
        else buffer.putFloat(4 * at, (pixels.data[i] / 255f - MEAN[i % CHANNELS]) / STD[i % CHANNELS])
    }
    return buffer
}

fun pixelsOf(picture: Bitmap): Pixels {
    val colors = IntArray(picture.width * picture.height)
    picture.getPixels(colors, 0, picture.width, 0, 0, picture.width, picture.height)
    val data = IntArray(colors.size * CHANNELS)
    for (p in colors.indices) for (c in 0 until CHANNELS) {
        val color = colors[p]
        data[p * CHANNELS + c] = when {
            c == 3 || CHANNELS == 2 && c == 1 -> color ushr 24
            CHANNELS >= 3 -> color shr (16 - 8 * c) and 255
            else -> ((color shr 16 and 255) * 19595 + (color shr 8 and 255) * 38470 + (color and 255) * 7471 + 0x8000) shr 16
        }
    }
    return Pixels(picture.width, picture.height, data)
}

/** The short side to SHORT_SIDE, then the middle CROP × CROP. Android's own scaling does not antialias, so this does. */
fun centered(picture: Pixels): Pixels {
    val scale = SHORT_SIDE.toDouble() / min(picture.width, picture.height)
    val width = if (picture.width <= picture.height) SHORT_SIDE else max(CROP, (picture.width * scale).toInt())
    val height = if (picture.height <= picture.width) SHORT_SIDE else max(CROP, (picture.height * scale).toInt())
    val wide = IntArray(width * picture.height * CHANNELS)
    for (y in 0 until picture.height) for (c in 0 until CHANNELS)
        filter(picture.data, y * picture.width * CHANNELS + c, CHANNELS, picture.width, wide, y * width * CHANNELS + c, CHANNELS, width)
    val out = IntArray(width * height * CHANNELS)
    val row = width * CHANNELS
    for (x in 0 until row) filter(wide, x, row, picture.height, out, x, row, height)
    val (left, top) = listOf((width - CROP) / 2, (height - CROP) / 2)
    val data = IntArray(CROP * CROP * CHANNELS) { i ->
        val (y, rest) = listOf(i / (CROP * CHANNELS), i % (CROP * CHANNELS))
        out[(top + y) * row + left * CHANNELS + rest]
    }
    return Pixels(CROP, CROP, data)
}

/** An antialiased bilinear filter along a line of samples, rounded to whole numbers. */
private fun filter(from: IntArray, first: Int, step: Int, count: Int, to: IntArray, toFirst: Int, toStep: Int, toCount: Int) {
    val scale = count.toDouble() / toCount
    val support = max(1.0, scale)
    for (o in 0 until toCount) {
        val center = (o + 0.5) * scale
        var sum = 0.0
        var weights = 0.0
        for (i in max(0, (center - support + 0.5).toInt()) until min(count, (center + support + 0.5).toInt())) {
            val weight = max(0.0, 1 - kotlin.math.abs((i - center + 0.5) / support))
            sum += weight * from[first + i * step]
            weights += weight
        }
        to[toFirst + o * toStep] = (sum / weights + 0.5).toInt()
    }
}
`;
};

/** A reader in Kotlin, for an Android app: resizes with antialiasing, which Android's own scaling doesn't. */
export function kotlinReader(runtime: KotlinRuntime): Reader {
  const { file, about } = runtime;
  return { file, about, text: ({ main, preprocessing }) => text(main, preprocessing, runtime) };
}

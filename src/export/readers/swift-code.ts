/** `readers/*.swift`: what the Swift readers share. */
import type { PreprocessingDescription } from '../preprocessing.ts';

/** Constants of a file's input, and the type of pictures. */
export function swiftFacts(main: string, how: PreprocessingDescription): string {
  return `private let crop = ${how.crop}
private let shortSide = ${how.resize.short_side}
private let channels = ${how.channels} // ${how.color}
private let bytes = ${how.inputs[main]!.normalization === 'inside'}
private let mean: [Float] = [${how.mean.join(', ')}]
private let std: [Float] = [${how.std.join(', ')}]

/// Interleaved channel values, 0 to 255.
struct Pixels {
    let width: Int
    let height: Int
    var data: [UInt8]
}`;
}

/** Probabilities of `logits`, the most probable first, as the last lines of a function. */
export function swiftAnswers({ output }: PreprocessingDescription): string {
  const chances =
    output.activation === 'softmax'
      ? `let largest = logits.max()!
        let powers = logits.map { exp($0 - largest) }
        let sum = powers.reduce(0, +)
        let chances = powers.map { $0 / sum }`
      : 'let chances = logits.map { 1 / (1 + exp(-$0)) }';
  return `${chances}
        return zip(labels, chances).sorted { $0.1 > $1.1 }.prefix(count).map { ($0.0, $0.1) }`;
}

/** From a picture to pixels of the right size. */
export const SWIFT_PIXELS: string = `/// The channels that the model takes; transparency over white where it takes no alpha.
func pixels(of picture: CGImage) -> Pixels {
    let (width, height) = (picture.width, picture.height)
    var rgba = [UInt8](repeating: 255, count: width * height * 4)
    rgba.withUnsafeMutableBytes { memory in
        let context = CGContext(
            data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
            space: CGColorSpace(name: CGColorSpace.sRGB)!, bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)!
        let whole = CGRect(x: 0, y: 0, width: width, height: height)
        if channels % 2 == 0 { context.clear(whole) }
        context.draw(picture, in: whole)
    }
    var data = [UInt8](repeating: 0, count: width * height * channels)
    for p in 0..<width * height {
        for c in 0..<channels {
            if channels < 3 && c == 0 {
                let (r, g, b) = (Int(rgba[4 * p]), Int(rgba[4 * p + 1]), Int(rgba[4 * p + 2]))
                data[p * channels] = UInt8((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16)
            } else {
                data[p * channels + c] = rgba[4 * p + (channels < 3 ? 3 : c)]
            }
        }
    }
    return Pixels(width: width, height: height, data: data)
}

/// The short side to shortSide by an antialiased bilinear filter, then the middle crop × crop.
func centered(_ picture: Pixels) -> Pixels {
    let scale = Double(shortSide) / Double(min(picture.width, picture.height))
    let width = picture.width <= picture.height ? shortSide : max(crop, Int(Double(picture.width) * scale))
    let height = picture.height <= picture.width ? shortSide : max(crop, Int(Double(picture.height) * scale))
    let row = width * channels
    var wide = [UInt8](repeating: 0, count: row * picture.height)
    for y in 0..<picture.height {
        for c in 0..<channels {
            filter(picture.data, y * picture.width * channels + c, channels, picture.width, &wide, y * row + c, channels, width)
        }
    }
    var out = [UInt8](repeating: 0, count: row * height)
    for x in 0..<row { filter(wide, x, row, picture.height, &out, x, row, height) }
    let (left, top) = ((width - crop) / 2, (height - crop) / 2)
    var data = [UInt8]()
    for y in 0..<crop {
        let from = (top + y) * row + left * channels
        data += out[from..<from + crop * channels]
    }
    return Pixels(width: crop, height: crop, data: data)
}

/// Filters a line of samples: sample i is from[first + i * step].
private func filter(
    _ from: [UInt8], _ first: Int, _ step: Int, _ count: Int,
    _ to: inout [UInt8], _ toFirst: Int, _ toStep: Int, _ toCount: Int
) {
    let scale = Double(count) / Double(toCount)
    let support = max(1, scale)
    for o in 0..<toCount {
        let center = (Double(o) + 0.5) * scale
        var (sum, weights) = (0.0, 0.0)
        for i in max(0, Int(center - support + 0.5))..<min(count, Int(center + support + 0.5)) {
            let weight = max(0, 1 - abs((Double(i) - center + 0.5) / support))
            sum += weight * Double(from[first + i * step])
            weights += weight
        }
        to[toFirst + o * toStep] = UInt8(sum / weights + 0.5)
    }
}
`;

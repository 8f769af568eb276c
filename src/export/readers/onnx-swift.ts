/** `readers/swift.swift`: an ONNX file in an app for iOS or macOS. */
import type { PreprocessingDescription } from '../preprocessing.ts';
import type { Reader } from './reader.ts';

const text = (main: string, how: PreprocessingDescription): string => {
  const { dtype, layout } = how.inputs[main]!;
  const [name, extension] = main.split('.') as [string, string];
  return String.raw`// ${main} in an app for iOS or macOS. Add ${main} and labels.txt to the target, and the package
//     https://github.com/microsoft/onnxruntime-swift-package-manager
// It could not be run where this bundle was made: run the golden images on your device first (feed one to "answer" as it is).
import CoreGraphics
import Foundation
import OnnxRuntimeBindings

private let crop = ${how.crop}
private let shortSide = ${how.resize.short_side}
private let channels = ${how.channels} // ${how.color}
private let planes = ${layout === 'nchw'}
private let bytes = ${dtype === 'uint8'}
private let mean: [Float] = [${how.mean.join(', ')}]
private let std: [Float] = [${how.std.join(', ')}]

/// Interleaved channel values, 0 to 255.
struct Pixels {
    let width: Int
    let height: Int
    var data: [UInt8]
}

final class Classifier {
    private let environment: ORTEnv
    private let session: ORTSession
    private let labels: [String]

    init(bundle: Bundle = .main) throws {
        environment = try ORTEnv(loggingLevel: .warning)
        let path = bundle.path(forResource: "${name}", ofType: "${extension}")!
        session = try ORTSession(env: environment, modelPath: path, sessionOptions: nil)
        let names = try String(contentsOf: bundle.url(forResource: "labels", withExtension: "txt")!, encoding: .utf8)
        labels = names.split(separator: "\n").map(String.init)
    }

    /// The most probable classes of a picture (upright), with their probabilities.
    func classify(_ picture: CGImage, count: Int = 5) throws -> [(label: String, probability: Float)] {
        try answer(centered(pixels(of: picture)), count: count)
    }

    /// The same of a picture that has the right size.
    func answer(_ pixels: Pixels, count: Int = 5) throws -> [(label: String, probability: Float)] {
        let size = crop * crop * channels
        let at = { (i: Int) in planes ? (i % channels) * crop * crop + i / channels : i }
        let shape = (planes ? [1, channels, crop, crop] : [1, crop, crop, channels]).map { NSNumber(value: $0) }
        let data: NSMutableData
        if bytes {
            var values = [UInt8](repeating: 0, count: size)
            for i in 0..<size { values[at(i)] = pixels.data[i] }
            data = NSMutableData(bytes: values, length: size)
        } else {
            var values = [Float](repeating: 0, count: size)
            for i in 0..<size { values[at(i)] = (Float(pixels.data[i]) / 255 - mean[i % channels]) / std[i % channels] }
            data = NSMutableData(bytes: values, length: size * MemoryLayout<Float>.stride)
        }
        let input = try ORTValue(tensorData: data, elementType: bytes ? .uInt8 : .float, shape: shape)
        let results = try session.run(
            withInputs: [session.inputNames()[0]: input], outputNames: ["logits"], runOptions: nil)
        let raw = try results["logits"]!.tensorData() as Data
        let logits = raw.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        ${
          how.output.activation === 'softmax'
            ? `let largest = logits.max()!
        let powers = logits.map { exp($0 - largest) }
        let sum = powers.reduce(0, +)
        let chances = powers.map { $0 / sum }`
            : 'let chances = logits.map { 1 / (1 + exp(-$0)) }'
        }
        return zip(labels, chances).sorted { $0.1 > $1.1 }.prefix(count).map { ($0.0, $0.1) }
    }
}

/// The channels that the model takes; transparency over white where it takes no alpha.
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
};

export const ONNX_SWIFT: Reader = {
  file: 'swift.swift',
  about:
    'code for an app for iOS or macOS, by onnxruntime-swift-package-manager. Not run where this was made: try the golden images first.',
  text: ({ main, preprocessing }) => text(main, preprocessing),
};

/** `readers/coreml.swift`: a Core ML package on a Mac, and in an app. */
import type { PreprocessingDescription } from '../preprocessing.ts';
import type { Reader } from './reader.ts';
import { SWIFT_PIXELS, swiftAnswers, swiftFacts } from './swift-code.ts';

const text = (
  main: string,
  how: PreprocessingDescription,
): string => String.raw`// Says what pictures show:   swift readers/coreml.swift PICTURE ...
// Checks the golden images:  swift readers/coreml.swift --golden
// Needs a Mac, where this bundle could not be run: check the golden images first. For an app, add ${main} and labels.txt
// to the target, and of this file what stands above "The program".
import CoreGraphics
import CoreML
import CoreVideo
import Foundation
import ImageIO

${swiftFacts(main, how)}

final class Classifier {
    private let model: MLModel
    private let input: MLFeatureDescription
    let labels: [String]

    /// The compiled model (in an app Bundle.main.url(forResource: "${main.split('.')[0]!}", withExtension: "mlmodelc")!) and labels.txt.
    init(model: URL, labels: URL) throws {
        self.model = try MLModel(contentsOf: model)
        input = self.model.modelDescription.inputDescriptionsByName.values.first!
        self.labels = try String(contentsOf: labels, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// The most probable classes of a picture (upright), with their probabilities.
    func classify(_ picture: CGImage, count: Int = 5) throws -> [(label: String, probability: Float)] {
        let logits = try self.logits(centered(pixels(of: picture)))
        ${swiftAnswers(how)}
    }

    /// The logits of a picture that has the right size.
    func logits(_ pixels: Pixels) throws -> [Float] {
        let value: MLFeatureValue
        if input.type == .image {
            value = MLFeatureValue(pixelBuffer: buffer(pixels))
        } else {
            value = MLFeatureValue(multiArray: try array(pixels))
        }
        let answer = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: [input.name: value]))
        let logits = answer.featureValue(for: "logits")!.multiArrayValue!
        return (0..<logits.count).map { logits[$0].floatValue }
    }
}

/// RGB and gray pictures as Core ML takes them.
private func buffer(_ pixels: Pixels) -> CVPixelBuffer {
    var made: CVPixelBuffer?
    let format = channels == 1 ? kCVPixelFormatType_OneComponent8 : kCVPixelFormatType_32BGRA
    CVPixelBufferCreate(nil, crop, crop, format, nil, &made)
    let buffer = made!
    CVPixelBufferLockBaseAddress(buffer, [])
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    let bytes = CVPixelBufferGetBaseAddress(buffer)!.assumingMemoryBound(to: UInt8.self)
    for y in 0..<crop {
        let row = bytes + y * CVPixelBufferGetBytesPerRow(buffer)
        for x in 0..<crop {
            let from = (y * crop + x) * channels
            if channels == 1 {
                row[x] = pixels.data[from]
            } else {
                for c in 0..<3 { row[4 * x + 2 - c] = pixels.data[from + c] }
                row[4 * x + 3] = 255
            }
        }
    }
    return buffer
}

/// Other channels, and what is normalized outside the model: planes of numbers.
private func array(_ pixels: Pixels) throws -> MLMultiArray {
    let array = try MLMultiArray(shape: [1, channels, crop, crop].map { NSNumber(value: $0) }, dataType: .float32)
    for i in 0..<pixels.data.count {
        let (c, value) = (i % channels, Float(pixels.data[i]))
        array[c * crop * crop + i / channels] = NSNumber(value: bytes ? value : (value / 255 - mean[c]) / std[c])
    }
    return array
}

${SWIFT_PIXELS}
// The program

struct Golden: Decodable {
    struct Image: Decodable {
        let file: String
        let label: String?
        let labels: [String]?
        let logits: [Float]
    }
    let images: [Image]
}

/// A picture out of a file; a photo is turned upright.
func load(_ url: URL, turned: Bool) -> CGImage {
    let options = [
        kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceCreateThumbnailWithTransform: true,
    ] as CFDictionary
    guard let source = CGImageSourceCreateWithURL(url as CFURL, nil),
        let picture = turned
            ? CGImageSourceCreateThumbnailAtIndex(source, 0, options) : CGImageSourceCreateImageAtIndex(source, 0, nil)
    else {
        print("\(url.path) can't be read as a picture.")
        exit(1)
    }
    return picture
}

let bundle = URL(fileURLWithPath: #filePath).standardizedFileURL.deletingLastPathComponent().deletingLastPathComponent()
let classifier = try Classifier(
    model: MLModel.compileModel(at: bundle.appendingPathComponent("${main}")),
    labels: bundle.appendingPathComponent("labels.txt"))
let arguments = CommandLine.arguments.dropFirst()
if arguments.isEmpty {
    print("Name pictures, or --golden.")
    exit(2)
} else if arguments.first == "--golden" {
    var wrong = false
    let golden = try JSONDecoder().decode(
        Golden.self, from: Data(contentsOf: bundle.appendingPathComponent("golden.json")))
    for entry in golden.images {
        let picture = load(bundle.appendingPathComponent(entry.file), turned: false)
        let values = try classifier.logits(pixels(of: picture))
        let above = zip(classifier.labels, values).filter { $0.1 > 0 }.map { $0.0 }
        let first = classifier.labels[values.firstIndex(of: values.max()!)!]
        let got = entry.labels == nil ? first : above.joined(separator: ", ")
        let expected = entry.labels?.joined(separator: ", ") ?? entry.label!
        let largest = entry.logits.map { abs($0) }.max()!
        let difference = zip(values, entry.logits).map { abs($0 - $1) }.max()! / largest
        let verdict = got == expected ? "ok" : "WRONG, expected \(expected)"
        print("\(entry.file)  \(verdict)  \(got)  \(String(format: "%.1e", difference))")
        if got != expected { wrong = true }
    }
    exit(wrong ? 1 : 0)
} else {
    for path in arguments {
        let answers = try classifier.classify(load(URL(fileURLWithPath: path), turned: true))
        let named = answers.map { "\($0.label) \(String(format: "%.1f", 100 * $0.probability)) %" }
        print("\(path)  \(named.joined(separator: ", "))")
    }
}
`;

export const COREML_SWIFT: Reader = {
  file: 'coreml.swift',
  about:
    'a program for a Mac, and code for an app for iOS or macOS, by Core ML. Not run where this was made: try the golden images first.',
  run: 'swift readers/coreml.swift --golden',
  text: ({ main, preprocessing }) => text(main, preprocessing),
};

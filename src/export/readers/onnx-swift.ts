/** `readers/onnx.swift`: an ONNX file in an app for iOS or macOS. */
import type { PreprocessingDescription } from '../preprocessing.ts';
import type { Reader } from './reader.ts';
import { SWIFT_PIXELS, swiftAnswers, swiftFacts } from './swift-code.ts';

const text = (main: string, how: PreprocessingDescription): string => {
  const [name, extension] = main.split('.') as [string, string];
  return String.raw`// ${main} in an app for iOS or macOS. Add ${main} and labels.txt to the target, and the package
//     https://github.com/microsoft/onnxruntime-swift-package-manager
// It could not be run where this bundle was made: run the golden images on your device first (feed one to "answer" as it is).
import CoreGraphics
import Foundation
import OnnxRuntimeBindings

private let planes = ${how.inputs[main]!.layout === 'nchw'}
${swiftFacts(main, how)}

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
        ${swiftAnswers(how)}
    }
}

${SWIFT_PIXELS}`;
};

export const ONNX_SWIFT: Reader = {
  file: 'onnx.swift',
  about:
    'code for an app for iOS or macOS, by onnxruntime-swift-package-manager. Not run where this was made: try the golden images first.',
  text: ({ main, preprocessing }) => text(main, preprocessing),
};

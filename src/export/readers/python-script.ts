/** `readers/*.py`: what the Python readers share. */
import type { Reader } from './reader.ts';

/** What the readers of different runtimes don't share. */
export interface PythonRuntime {
  readonly file: string;
  /** The runtime, for the card. */
  readonly about: string;
  /** What `pip` installs. */
  readonly packages: string;
  /** What to know before running it. */
  readonly note?: string;
  /** Import lines, sorted, with Pillow's. */
  readonly imports: readonly string[];
  /** Opens `BUNDLE / MODEL`. */
  readonly open: string;
  /** The body of `run(pixels)`: an array as `preprocessing.json` describes it, to a row of logits. */
  readonly run: string;
}

const text = (
  main: string,
  { file, packages, note, imports, open, run }: PythonRuntime,
): string => String.raw`"""Says what pictures show:   python readers/${file} PICTURE ...
Checks the golden images:  python readers/${file} --golden
Needs three packages:      pip install ${packages}${note === undefined ? '' : `\n${note}`}
"""
import json
import sys
from pathlib import Path

import numpy as np
${imports.join('\n')}

MODEL = "${main}"
BUNDLE = Path(__file__).resolve().parent.parent
HOW = json.loads((BUNDLE / "preprocessing.json").read_text("utf-8"))
LABELS = (BUNDLE / HOW["output"]["labels"]).read_text("utf-8").rstrip("\n").split("\n")
MODE = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[HOW["channels"]]
${open.trim()}


def decode(path):
    """A file as a picture of the model's channels: turned upright, transparency over white."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if not MODE.endswith("A") and (picture.mode in ("RGBA", "LA") or "transparency" in picture.info):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert(MODE)


def center(picture):
    """The short side to the length that the model was evaluated at, then the middle."""
    crop, short = HOW["crop"], HOW["resize"]["short_side"]
    (width, height), scale = picture.size, short / min(picture.size)
    size = (
        short if width <= height else max(crop, int(width * scale)),
        short if height <= width else max(crop, int(height * scale)),
    )
    # Band by band: Pillow would weigh colors by their alpha.
    bands = [band.resize(size, Image.Resampling.BILINEAR) for band in picture.split()]
    left, top = (size[0] - crop) // 2, (size[1] - crop) // 2
    return Image.merge(MODE, bands).crop((left, top, left + crop, top + crop))


def run(pixels):
    """What the file takes -> its logits."""
    ${run.trim().replaceAll('\n', '\n    ')}


def logits(picture):
    """Runs the model on a picture of the right size."""
    taken = HOW["inputs"][MODEL]
    pixels = np.asarray(picture).reshape(1, picture.height, picture.width, HOW["channels"])
    if taken["dtype"] == "float32":
        pixels = ((pixels / 255 - np.array(HOW["mean"])) / np.array(HOW["std"])).astype(np.float32)
    if taken["layout"] == "nchw":
        pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return run(pixels)


def probabilities(values):
    if HOW["output"]["activation"] == "sigmoid":
        return 1 / (1 + np.exp(-values))
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def check_golden():
    wrong = 0
    for entry in json.loads((BUNDLE / "golden.json").read_text("utf-8"))["images"]:
        values = logits(decode(BUNDLE / entry["file"]))
        several = "labels" in entry
        got = [label for label, value in zip(LABELS, values) if value > 0] if several else LABELS[values.argmax()]
        expected = entry["labels"] if several else entry["label"]
        difference = np.abs(values - entry["logits"]).max() / np.abs(entry["logits"]).max()
        verdict = "ok" if got == expected else f"WRONG, expected {expected}"
        wrong += got != expected
        print(f"{entry['file']}  {verdict}  {got}  {difference:.1e}")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--golden"]:
        sys.exit(check_golden())
    if not sys.argv[1:]:
        sys.exit("Name pictures, or --golden.")
    for path in sys.argv[1:]:
        chances = probabilities(logits(center(decode(path))))
        best = chances.argsort(kind="stable")[::-1][:5]
        print(f"{path}  " + ", ".join(f"{LABELS[i]} {100 * chances[i]:.1f} %" for i in best))
`;

/** A reader in Python: resizes as Pillow, runs pictures or the golden images. */
export function pythonReader(runtime: PythonRuntime): Reader {
  const { file, about, packages } = runtime;
  return {
    file,
    about,
    run: `pip install ${packages} && python readers/${file} --golden`,
    text: ({ main }) => text(main, runtime),
  };
}

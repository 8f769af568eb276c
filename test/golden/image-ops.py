"""Writes image-ops.json: AutoAugment's operations by Pillow, called as torchvision calls it. python test/golden/image-ops.py"""

import base64
import json
import math
import pathlib

import PIL
from PIL import Image, ImageEnhance, ImageOps

SIZE = 24


def picture(kind):
    """`busy` has many levels in each channel, `dull` few (and one constant channel)."""
    data = bytearray()
    for y in range(SIZE):
        for x in range(SIZE):
            wave = 128 + 100 * math.sin(x / 3.0) * math.cos(y / 5.0)
            if kind == "busy":
                data += bytes([int(wave), (x * 11 + y * 7) % 256, (x * y * 5 + 31 * (x % 3)) % 256])
            else:
                data += bytes([60 + int(wave) // 4, 77, 200 if (x + y) % 5 else 90 + y])
    return Image.frombytes("RGB", (SIZE, SIZE), bytes(data))


def affine(matrix):
    # torchvision's F.affine: nearest, no fill. Its matrices for shear (about the corner) and shift are these.
    return lambda image: image.transform((SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


OPS = {
    "Identity": ([0], lambda m: lambda image: image),
    "ShearX": ([0.3, -0.13], lambda m: affine((1, math.tan(math.atan(m)), 0, 0, 1, 0))),
    "ShearY": ([0.2, -0.3], lambda m: affine((1, 0, 0, math.tan(math.atan(m)), 1, 0))),
    "TranslateX": ([5.9, -7.2], lambda m: affine((1, 0, -int(m), 0, 1, 0))),
    "TranslateY": ([10.875, -3], lambda m: affine((1, 0, 0, 0, 1, -int(m)))),
    "Rotate": ([30, 8, -26.7], lambda m: lambda image: image.rotate(m, Image.Resampling.NEAREST)),
    "Brightness": ([0.9, 0.13, -0.9], lambda m: lambda image: ImageEnhance.Brightness(image).enhance(1 + m)),
    "Color": ([0.9, 0.2, -0.8], lambda m: lambda image: ImageEnhance.Color(image).enhance(1 + m)),
    "Contrast": ([0.9, 0.37, -0.9], lambda m: lambda image: ImageEnhance.Contrast(image).enhance(1 + m)),
    "Sharpness": ([0.9, 0.21, -0.7], lambda m: lambda image: ImageEnhance.Sharpness(image).enhance(1 + m)),
    "Posterize": ([8, 6, 4], lambda m: lambda image: ImageOps.posterize(image, m)),
    "Solarize": ([255, 113.33333, 0], lambda m: lambda image: ImageOps.solarize(image, m)),
    "AutoContrast": ([0], lambda m: ImageOps.autocontrast),
    "Equalize": ([0], lambda m: ImageOps.equalize),
    "Invert": ([0], lambda m: ImageOps.invert),
}


def text(image):
    return base64.b64encode(image.tobytes()).decode()


pictures = {kind: picture(kind) for kind in ("busy", "dull")}
cases = [
    {"op": name, "magnitude": m, "picture": kind, "expected": text(make(m)(image))}
    for name, (magnitudes, make) in OPS.items()
    for m in magnitudes
    for kind, image in pictures.items()
    if kind == "busy" or m == magnitudes[0]
]
file = {"pillow": PIL.__version__, "size": SIZE, "pictures": {k: text(v) for k, v in pictures.items()}, "cases": cases}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(file) + "\n")

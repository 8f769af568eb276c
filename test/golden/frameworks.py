"""Makes weights with the frameworks themselves, and loads into them what mobileone import wrote. See frameworks.test.ts.

python frameworks.py make DIR     writes DIR/<framework>-<variant>[-fused].pth and the answers to one image
python frameworks.py check DIR    loads DIR/*.safetensors strictly and compares the answers; prints a line for each
"""

import collections
import pathlib
import sys

import timm
import torch
from safetensors.torch import load_file, save_file
from timm.utils import reparameterize_model

CHANNELS = {"s0": 1024, "s4": 2048}
torch.set_num_threads(1)
IMAGE = torch.sin(torch.arange(3 * 64 * 64).float() * 0.37).view(1, 3, 64, 64)


def timm_model(variant):
    return timm.create_model(f"mobileone_{variant}").eval()


def apple_model(variant):
    """Apple's code as segmentation_models.pytorch carries it, with Apple's classifier back."""
    import segmentation_models_pytorch as smp

    class Apple(torch.nn.Module):
        def __init__(self):
            super().__init__()
            encoder = smp.encoders.get_encoder(f"mobileone_{variant}", weights=None)
            for name, child in encoder.named_children():
                self.add_module(name, child)
            self.linear = torch.nn.Linear(CHANNELS[variant], 1000)

        def forward(self, x):
            for stage in (self.stage0, self.stage1, self.stage2, self.stage3, self.stage4):
                x = stage(x)
            return self.linear(x.mean((2, 3)))

    return Apple().eval()


def mmpretrain_model(variant):
    from mmpretrain.models import build_classifier

    parts = {
        "backbone": {"type": "MobileOne", "arch": variant},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "num_classes": 1000, "in_channels": CHANNELS[variant]},
    }
    return build_classifier({"type": "ImageClassifier", **parts}).eval()


MODELS = {"timm": timm_model, "apple": apple_model, "mmpretrain": mmpretrain_model}


def fused(framework, model):
    if framework == "timm":
        return reparameterize_model(model).eval()
    for module in list(model.modules()):
        for method in ("switch_to_deploy", "reparameterize"):
            if module is not model and type(module).__name__ == "MobileOneBlock" and hasattr(module, method):
                getattr(module, method)()
                break
    return model


def randomize(model):
    generator = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif name.endswith("running_mean"):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
        elif name.endswith("num_batches_tracked"):
            value.fill_(77)


def available():
    for framework, make in MODELS.items():
        try:
            make("s0")
            yield framework
        except ImportError as error:
            print(f"skipped {framework}: {error}", file=sys.stderr)


def files(folder):
    for framework in available():
        for variant in CHANNELS:
            for form in ("", "-fused"):
                yield framework, variant, form, folder / f"{framework}-{variant}{form}"


def wrapped(framework, state):
    return {"meta": {"seed": 1}, "state_dict": state} if framework == "mmpretrain" else collections.OrderedDict(state)


def make(folder):
    torch.manual_seed(0)
    for framework, variant, form, path in files(folder):
        model = MODELS[framework](variant)
        randomize(model)
        if form:
            model = fused(framework, model)
        with torch.no_grad():
            save_file({"logits": model(IMAGE)}, f"{path}.answer")
        torch.save(wrapped(framework, model.state_dict()), f"{path}.pth")


def check(folder):
    for framework, variant, form, path in files(folder):
        for source in available():
            written = load_file(folder / f"{source}-{variant}{form}-as-{framework}.safetensors")
            model = MODELS[framework](variant)
            if form:
                model = fused(framework, model)
            own = model.state_dict()
            assert list(own.keys() - written.keys()) == [] and list(written.keys() - own.keys()) == []
            assert all(own[name].dtype == value.dtype for name, value in written.items())
            model.load_state_dict(written, strict=True)
            if not form:
                assert all(v == 77 for name, v in written.items() if name.endswith("num_batches_tracked"))
            with torch.no_grad():
                answer = model(IMAGE)
            expected = load_file(folder / f"{source}-{variant}{form}.answer")["logits"]
            error = ((answer - expected).abs().max() / expected.abs().max()).item()
            print(f"{source} -> {framework} {variant}{form}: {len(written)} tensors, answers differ by {error:.1e}", flush=True)
            assert error < 1e-4


{"make": make, "check": check, "list": lambda _: print(" ".join(available()))}[sys.argv[1]](pathlib.Path(sys.argv[2]))

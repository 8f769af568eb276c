"""Writes zoo.json: what timm's and torchvision's own code makes of the networks of the zoo. python test/golden/zoo.py [MNEXT.PY]

For each network: `params` (learnable parameters, BatchNorm's two a channel included), `folded` (the same with BatchNorm folded into the
convolution before it: a convolution's weights and one bias an output channel, a linear layer's weights and biases), `macs`
(multiply-adds of convolutions and linear layers at 224 px) and, in float64 at 48 x 40 px, the first logits and the norm of all when every
parameter is a formula of its name and index (`values`), BatchNorm being folded. RepVGG's logits are those of its train form, statistics
and all; its `folded` and `macs` are those of the fused form, `train_macs` those of the train form.

MobileNeXt is in no package: give the authors' `mnext.py` (github yitu-opensource/MobileNeXt, mobilenext/codebase/models) to write its
entries anew; without it they stay as they are.
"""

import copy
import importlib.util
import json
import math
import pathlib
import sys

import numpy
import timm
import torch
import torchvision
from timm.utils.model import reparameterize_model
from torch import nn

torch.set_default_dtype(torch.float64)
PATH = pathlib.Path(__file__).with_name("zoo.json")


def values(name, shape, center=0.0, scale=1.0):
    """float32 numbers around `center`, up to `scale` away: FNV-1a of the name, murmur3's finalizer of that and the index."""
    h = 0x811C9DC5
    for char in name:
        h = ((h ^ ord(char)) * 0x01000193) & 0xFFFFFFFF
    i = numpy.arange(math.prod(shape), dtype=numpy.uint64)
    h = (h + i * 0x9E3779B9) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    h ^= h >> 16
    data = center + scale * (h.astype(numpy.float64) / 2**31 - 1)
    return torch.from_numpy(data.astype(numpy.float32).astype(numpy.float64).reshape(shape))


def counts(model):
    model = copy.deepcopy(model).to("meta")
    macs = 0

    def hook(module, _, out):
        nonlocal macs
        each = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.in_features
        macs += out.numel() * each

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        layer.register_forward_hook(hook)
    model(torch.zeros(1, 3, 224, 224, device="meta"))
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "folded": sum(m.weight.numel() + m.weight.shape[0] for m in layers),
        "macs": macs,
    }


def fold(module):
    """Leaves of every BatchNorm only its activation, if it has one (timm's BatchNormAct2d); biases take its place."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, getattr(child, "act", nn.Identity()))
        else:
            fold(child)
        if isinstance(child, nn.Conv2d) and child.bias is None:
            child.bias = nn.Parameter(torch.zeros(child.out_channels))


def fill(model, rename=lambda name: name):
    for name, param in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith("num_batches_tracked"):
            continue
        name, shape = rename(name), tuple(param.shape)
        if len(shape) > 1:
            new = values(name, shape, scale=math.sqrt(4.5 / math.prod(shape[1:])))
        elif name.endswith("running_var"):
            new = values(name, shape, center=1, scale=0.2)
        elif name.endswith("weight"):
            new = values(name, shape, center=0.5, scale=0.2)
        else:
            new = values(name, shape, scale=0.1)
        param.data.copy_(new)


def logits(model):
    y = model(values("input", (1, 3, 48, 40)))[0]
    return {"first": y[:5].tolist(), "norm": y.norm().item()}


def repvgg_name(name):
    return name.replace("conv_kxk.", "conv_kxk.0.").replace("conv_1x1.", "conv_scale.")


NETS = {
    "mobilenetv1_100": timm,
    "mobilenetv2_100": timm,
    "mobilenetv2_140": timm,
    "mobilenetv3_small_100": timm,
    "mobilenetv3_large_100": timm,
    "semnasnet_100": timm,
    "efficientnet_b0": timm,
    "mixnet_s": timm,
    "shufflenet_v2_x1_0": torchvision.models,
    "shufflenet_v2_x2_0": torchvision.models,
    "ghostnet_100": timm,
    "resnet18": timm,
    "resnet50": timm,
    "repvgg_a0": timm,
    "repvgg_a1": timm,
    "repvgg_a2": timm,
    "repvgg_b0": timm,
    "repvgg_b1": timm,
}


def entry(model, package):
    model = model.double().eval()
    with torch.no_grad():
        counted = counts(model)
        if hasattr(model, "stem") and hasattr(model.stem, "reparam_conv"):
            fused = counts(reparameterize_model(model))
            counted = {**fused, "params": counted["params"], "train_macs": counted["macs"]}
            fill(model, repvgg_name)
        else:
            fold(model)
            fill(model)
        return {"package": package, **counted, **logits(model)}


def main():
    nets = json.loads(PATH.read_text())["nets"] if PATH.exists() else {}
    versions = {package.__name__: package.__version__ for package in (timm, torchvision, torch)}
    for name, source in NETS.items():
        package = source.__name__.split(".")[0]
        model = source.create_model(name) if source is timm else source.get_model(name)
        nets[name] = entry(model, package)
        print(name, nets[name])
    if len(sys.argv) > 1:
        spec = importlib.util.spec_from_file_location("mnext", sys.argv[1])
        mnext = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(mnext)
        for name, width in (("mobilenext_100", 1.0), ("mobilenext_140", 1.4)):
            nets[name] = entry(mnext.mnext(width_mult=width), "the authors' code")
            print(name, nets[name])
    PATH.write_text(json.dumps({"versions": versions, "nets": nets}, indent=1) + "\n")


main()

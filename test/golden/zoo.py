"""Writes zoo.json: what timm's and torchvision's own code makes of the networks of the zoo. python test/golden/zoo.py [MNEXT.PY]

For each network: `params` (learnable parameters, BatchNorm's two a channel included), `folded` (the same with BatchNorm folded into the
convolution before it: a convolution's weights and one bias an output channel, a linear layer's weights and biases, LayerNorm's, class
tokens and position embeddings), `macs` (multiply-adds of convolutions, linear layers and the products of attention, counted by torch; at
224 px, MobileViT at 256) and, in float64 at 48 x 40 px (or `size`), the first logits and the norm of all when every parameter is a
formula of its name and index (`values`), BatchNorm being folded. RepVGG's logits are those of its train form, statistics
and all; its `folded` and `macs` are those of the fused form, `train_macs` those of the train form.

MobileNeXt is in no package: give the authors' `mnext.py` (github yitu-opensource/MobileNeXt, mobilenext/codebase/models) to write its
entries anew; without it they stay as they are. Mobile-Former is in none either: `mobile_former.py` beside this file is written after its
authors' code.
"""

import copy
import importlib.util
import json
import math
import pathlib
import sys

import mobile_former
import numpy
import timm
import torch
import torchvision
from timm.layers import set_fused_attn
from timm.utils.model import reparameterize_model
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

torch.set_default_dtype(torch.float64)
set_fused_attn(False)
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


def learnable(model):
    return sum(p.numel() for p in model.parameters())


def macs(model, side):
    model = copy.deepcopy(model).to("meta").requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, side, side, device="meta"))
    return counter.get_total_flops() // 2


def fold(module):
    """Leaves of every BatchNorm only its activation, if it has one (timm's BatchNormAct2d); biases before it take its place."""
    before = None
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
            setattr(module, name, getattr(child, "act", nn.Identity()))
            for conv in before.modules():
                if isinstance(conv, nn.Conv2d) and conv.bias is None:
                    conv.bias = nn.Parameter(torch.zeros(conv.out_channels))
        else:
            fold(child)
        before = child


def fill(model, rename=lambda name: name):
    for name, param in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith(("num_batches_tracked", "rel_indices")):
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


def logits(model, size):
    y = model(values("input", (1, 3, *size)))[0]
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
    "deit_tiny_patch16_224": timm,
    "pit_ti_224": timm,
    "convit_tiny": timm,
    "mobilevit_xxs": timm,
    "mobilevit_xs": timm,
    "mobilevit_s": timm,
}

# Side of the image for the multiply-adds, height and width of the one for the logits, where not 224, 48 and 40.
SIZES = {
    "deit_tiny_patch16_224": (224, (224, 224)),
    "pit_ti_224": (224, (224, 224)),
    "convit_tiny": (224, (224, 224)),
    "mobilevit_xxs": (256, (128, 64)),
    "mobilevit_xs": (256, (128, 64)),
    "mobilevit_s": (256, (128, 64)),
}


def entry(model, package, side=224, size=(48, 40)):
    model = model.double().eval()
    with torch.no_grad():
        counted = {"params": learnable(model)}
        if hasattr(model, "stem") and hasattr(model.stem, "reparam_conv"):
            fused = reparameterize_model(model)
            counted |= {"folded": learnable(fused), "macs": macs(fused, side), "train_macs": macs(model, side)}
            fill(model, repvgg_name)
        else:
            fold(model)
            counted |= {"folded": learnable(model), "macs": macs(model, side)}
            fill(model)
        large = {} if size == (48, 40) else {"size": size}
        return {"package": package, **counted, **large, **logits(model, size)}


def main():
    nets = json.loads(PATH.read_text())["nets"] if PATH.exists() else {}
    versions = {package.__name__: package.__version__ for package in (timm, torchvision, torch)}
    for name, source in NETS.items():
        package = source.__name__.split(".")[0]
        model = source.create_model(name) if source is timm else source.get_model(name)
        nets[name] = entry(model, package, *SIZES.get(name, ()))
        print(name, nets[name])
    for name in mobile_former.VARIANTS:
        nets[name] = entry(mobile_former.mobile_former(name), "mobile_former.py")
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

"""Writes test/golden/checkpoints/: one tiny network as files of every kind that PyTorch writes or wrote.

python test/golden/checkpoints.py    (needs torch, numpy and safetensors)

All numbers are whole 64ths below 2, exact in every type of float, so that every file holds the same network.
"""

import argparse
import collections
import io
import pathlib
import re
import zipfile

import numpy
import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "checkpoints"
CHANNELS, CLASSES, BRANCHES, SE_STAGES = 4, 3, 2, (2, 3)
generator = torch.Generator().manual_seed(7)


def numbers(*shape):
    return torch.randint(-127, 128, shape, generator=generator).float() / 64


def norm(name):
    return {
        f"{name}.weight": numbers(CHANNELS),
        f"{name}.bias": numbers(CHANNELS),
        f"{name}.running_mean": numbers(CHANNELS),
        f"{name}.running_var": numbers(CHANNELS).abs() + 1,
        f"{name}.num_batches_tracked": torch.tensor(1234),
    }


def blocks():
    """(timm's name, kernel shape, branches, has a skip, has SE) of every block."""
    yield "stem", (CHANNELS, 3, 3, 3), 1, False, False
    for s in range(4):
        yield f"stages.{s}.0", (CHANNELS, 1, 3, 3), BRANCHES, False, s in SE_STAGES
        yield f"stages.{s}.1", (CHANNELS, CHANNELS, 1, 1), BRANCHES, True, s in SE_STAGES


def network(fused):
    """The state dict in timm's names."""
    state = {}
    for name, shape, branches, skip, se in blocks():
        if fused:
            state |= {f"{name}.reparam_conv.weight": numbers(*shape), f"{name}.reparam_conv.bias": numbers(CHANNELS)}
        else:
            if skip:
                state |= norm(f"{name}.identity")
                state[f"{name}.identity.weight"] = torch.full((CHANNELS,), 1.5)
            for k in range(branches):
                state[f"{name}.conv_kxk.{k}.conv.weight"] = numbers(*shape)
                state |= norm(f"{name}.conv_kxk.{k}.bn")
            if shape[2] > 1:
                state[f"{name}.conv_scale.conv.weight"] = numbers(*shape[:2], 1, 1)
                state |= norm(f"{name}.conv_scale.bn")
        if se:
            state |= {f"{name}.attn.fc1.weight": numbers(8, CHANNELS, 1, 1), f"{name}.attn.fc1.bias": numbers(8)}
            state |= {f"{name}.attn.fc2.weight": numbers(CHANNELS, 8, 1, 1), f"{name}.attn.fc2.bias": numbers(CHANNELS)}
    state |= {"head.fc.weight": numbers(CLASSES, CHANNELS), "head.fc.bias": numbers(CLASSES)}
    return state


NAMINGS = {
    "apple": [
        (r"^stem", "stage0"), (r"^stages\.(\d)", lambda m: f"stage{int(m[1]) + 1}"), (r"conv_kxk", "rbr_conv"),
        (r"conv_scale", "rbr_scale"), (r"identity", "rbr_skip"), (r"attn\.fc1", "se.reduce"),
        (r"attn\.fc2", "se.expand"), (r"head\.fc", "linear"),
    ],
    "mmpretrain": [
        (r"^(stem|stages)", r"backbone.\1"), (r"stem", "stage0"), (r"stages\.(\d)", lambda m: f"stage{int(m[1]) + 1}"),
        (r"(conv_kxk\.\d)\.bn", r"\1.norm"), (r"conv_scale\.bn", "conv_scale.norm"), (r"conv_kxk", "branch_conv_list"),
        (r"conv_scale", "branch_scale"), (r"identity", "branch_norm"), (r"attn\.fc(\d)", r"se.conv\1.conv"),
        (r"reparam_conv", "branch_reparam"),
    ],
    "corenet": [
        (r"^stem", "conv_1"), (r"^stages\.(\d)", lambda m: f"layer_{int(m[1]) + 2}"),
        (r"(conv_kxk\.\d|conv_scale)\.bn", r"\1.norm"), (r"conv_kxk\.(\d)", r"rbr_conv.\1.block"),
        (r"conv_scale", "rbr_scale.block"), (r"identity", "rbr_skip"), (r"attn\.fc(\d)", r"se.se_layer.fc\1.block.conv"),
        (r"head\.fc", "classifier.classifier_fc"),
    ],
}


def renamed(state, naming, prefix=""):
    def rename(name):
        for pattern, replacement in NAMINGS.get(naming, []):
            name = re.sub(pattern, replacement, name)
        return prefix + name

    return collections.OrderedDict((rename(name), value) for name, value in state.items())


def cast(state, dtype):
    return type(state)((name, value.to(dtype) if value.is_floating_point() else value) for name, value in state.items())


def in_one_storage(state):
    """Every float as a view of one storage; kernels channels last, matrices transposed, constants expanded from one number."""
    floats = {name: value for name, value in state.items() if value.is_floating_point()}
    flat = torch.empty(1 + sum(value.numel() for value in floats.values()), dtype=next(iter(floats.values())).dtype)
    made, at = collections.OrderedDict(state), 1
    for name, value in floats.items():
        if name.endswith("rbr_skip.weight"):
            flat[0] = value[0]
            made[name] = flat[:1].expand(value.shape)
            continue
        order = {4: (0, 2, 3, 1), 2: (1, 0), 1: (0,)}[value.dim()]
        part = flat[at : at + value.numel()].view([value.shape[d] for d in order])
        part.copy_(value.permute(order))
        made[name] = part.permute([order.index(d) for d in range(value.dim())])
        at += value.numel()
    return made


def big_endian(data):
    """The same file as a machine of the other byte order writes it."""
    out = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(data))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            content = source.read(name)
            if "/data/" in name:
                content = numpy.frombuffer(content, "<f4").astype(">f4").tobytes()
            target.writestr(zipfile.ZipInfo(name), b"big" if name.endswith("/byteorder") else content)
    return out.getvalue()


def save(name, value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    (FOLDER / name).write_bytes(buffer.getvalue())
    return buffer.getvalue()


FOLDER.mkdir(exist_ok=True)
LEGACY = {"_use_new_zipfile_serialization": False}
train, fused = network(False), network(True)
save_file(train, FOLDER / "train.safetensors")
save_file(fused, FOLDER / "fused.safetensors")

save("apple-train.pth.tar", renamed(train, "apple"))
save("apple-fused-legacy.pth.tar", renamed(fused, "apple"), **LEGACY)
save("timm-fused-float64.bin", cast(renamed(fused, "timm"), torch.float64), pickle_protocol=5)
other = collections.OrderedDict((name, torch.zeros_like(value)) for name, value in fused.items())
wrapped = {
    "epoch": 12,
    "arch": "mobileone_tiny",
    "state_dict": renamed(other, "timm", "module."),
    "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(5)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
    "args": argparse.Namespace(lr=0.1, output=pathlib.PurePosixPath("runs")),
    "state_dict_ema": renamed(fused, "timm", "module."),
    "metric": numpy.float64(71.4),
}
save("timm-checkpoint-legacy.pth.tar", wrapped, pickle_protocol=4, **LEGACY)
meta = {
    "dataset_meta": {"classes": ("cat", "dog", "owl"), "palette": numpy.arange(3)},
    "mmpretrain_version": "1.0.0",
    "seed": numpy.int64(3),
}
save("mmpretrain-train-legacy.pth", {"meta": meta, "state_dict": renamed(train, "mmpretrain")}, **LEGACY)
parameters = {name: torch.nn.Parameter(value) for name, value in cast(renamed(fused, "corenet"), torch.float16).items()}
save("corenet-fused-half.pt", parameters)
backbone = {name: value for name, value in renamed(train, "apple").items() if not name.startswith("linear.")}
save("smp-views-bfloat16.pth", in_one_storage(cast(collections.OrderedDict(backbone), torch.bfloat16)))
(FOLDER / "apple-fused-big-endian.pth").write_bytes(big_endian(save("apple-fused.pth", renamed(fused, "apple"))))
(FOLDER / "apple-fused.pth").unlink()

"""Mobile-Former (arXiv 2108.05895) in PyTorch, for zoo.py: its authors' code (github AAboys/MobileFormer, mobile_former.py and dna_blocks.py)
is in no package and its file needs timm 0.3.4, so this is written after it, with its names of parameters: what mobile_former_52m and
mobile_former_96m switch on, and nothing else. Tokens are [N, T, D] here, [T, N, D] there.
"""

import torch
from torch import nn

# (kind, expansion of the first half, channels, stride, expansion of the second half); `lite` is their DnaBlock3, dw-pw-dw-pw.
VARIANTS = {
    "mobile_former_52m": dict(
        stem=8,
        tokens=3,
        features=1024,
        blocks=[
            ("lite", 3, 12, 2, 0),
            ("plain", 3, 12, 1, 3),
            ("lite", 6, 24, 2, 4),
            ("plain", 3, 24, 1, 3),
            ("lite", 6, 48, 2, 4),
            ("plain", 4, 48, 1, 4),
            ("plain", 6, 64, 1, 4),
            ("lite", 6, 96, 2, 4),
            ("plain", 6, 96, 1, 4),
        ],
    ),
    "mobile_former_96m": dict(
        stem=12,
        tokens=4,
        features=1280,
        blocks=[
            ("lite", 2, 12, 1, 0),
            ("lite", 6, 16, 2, 4),
            ("lite", 6, 32, 2, 4),
            ("plain", 3, 32, 1, 3),
            ("lite", 6, 64, 2, 4),
            ("plain", 4, 64, 1, 4),
            ("plain", 6, 88, 1, 4),
            ("lite", 6, 128, 2, 4),
            ("plain", 6, 128, 1, 4),
        ],
    ),
}
DIM = 128


def conv_bn(inputs, outputs, kernel=1, stride=1, groups=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def heads(x, count):
    """[N, T, C] -> [N, count, T, C / count]"""
    return x.unflatten(2, (count, x.shape[2] // count)).transpose(1, 2)


def joined(x):
    """[N, heads, T, C] -> [N, T, heads * C]"""
    return x.transpose(1, 2).flatten(2)


def planes(x, count):
    """[N, C, H, W] -> [N, count, C / count, H * W]"""
    n, c, h, w = x.shape
    return x.view(n, count, c // count, h * w)


def attention(q, k, v):
    """softmax(q k / sqrt(C / heads)) v"""
    return (q @ k * q.shape[-1] ** -0.5).softmax(-1) @ v


class LocalToGlobal(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Sequential(nn.Linear(DIM, channels), nn.Hardsigmoid())
        self.q = nn.Linear(DIM, channels)
        self.proj = nn.Linear(channels, DIM)
        self.layer_norm = nn.LayerNorm(DIM)

    def forward(self, x, tokens):
        k = planes(x, 2)
        t = joined(attention(heads(self.q(tokens), 2), k, k.transpose(2, 3)))
        return self.layer_norm(tokens + self.proj(t * (2 * self.alpha(tokens))))


class Global(nn.Module):
    def __init__(self):
        super().__init__()
        self.ffn = nn.Sequential(nn.Linear(DIM, 2 * DIM), nn.GELU(), nn.Linear(2 * DIM, DIM))
        self.ffn_norm = nn.LayerNorm(DIM)
        self.q = nn.Linear(DIM, DIM)
        self.channel_mlp = nn.Linear(DIM, DIM)
        self.layer_norm = nn.LayerNorm(DIM)

    def forward(self, tokens):
        k = heads(tokens, 4)
        t = joined(attention(heads(self.q(tokens), 4), k.transpose(2, 3), k))
        tokens = self.layer_norm(tokens + self.channel_mlp(t))
        return self.ffn_norm(tokens + self.ffn(tokens))


class GlobalToLocal(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.k = nn.Linear(DIM, channels)
        self.proj = nn.Linear(DIM, channels)

    def forward(self, x, tokens):
        k, v = heads(self.k(tokens), 2).transpose(2, 3), heads(self.proj(tokens), 2)
        y = attention(planes(x, 2).transpose(2, 3), k, v)
        return x + y.transpose(2, 3).reshape(x.shape)


class Hyper(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.hyper = nn.Sequential(nn.Linear(DIM, DIM // 4), nn.ReLU(), nn.Linear(DIM // 4, outputs), nn.Hardsigmoid())

    def forward(self, x, tokens):
        """Dynamic ReLU of x by the first token."""
        a, b = (2 * self.hyper(tokens[:, 0])[:, :, None, None]).chunk(2, 1)
        return torch.maximum(x * a, x * (b - 1))


class Block(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.local_global = LocalToGlobal(inputs)
        self.global_block = Global()
        self.global_local = GlobalToLocal(channels)


class Plain(Block):
    def __init__(self, inputs, channels, stride, first, _):
        super().__init__(inputs, channels)
        hidden = inputs * first
        self.skips = inputs == channels
        self.conv1 = nn.Sequential(*conv_bn(inputs, hidden))
        self.hyper1 = Hyper(2 * hidden)
        self.conv2 = nn.Sequential(*conv_bn(hidden, hidden, 3, stride, hidden))
        self.hyper2 = Hyper(2 * hidden)
        self.conv3 = nn.Sequential(*conv_bn(hidden, channels))

    def forward(self, x, tokens):
        tokens = self.global_block(self.local_global(x, tokens))
        y = self.hyper1(self.conv1(x), tokens)
        y = self.conv3(self.hyper2(self.conv2(y), tokens))
        return self.global_local(x + y if self.skips else y, tokens), tokens


class Lite(Block):
    def __init__(self, inputs, channels, stride, first, second):
        super().__init__(inputs, channels)
        self.conv1 = nn.Sequential(*conv_bn(inputs, inputs * first, 3, stride, inputs))
        self.hyper1 = Hyper(2 * inputs * first)
        self.conv2 = nn.Sequential(*conv_bn(inputs * first, channels))
        self.conv3 = nn.Sequential(*conv_bn(channels, channels * second, 3, 1, channels))
        self.hyper3 = Hyper(2 * channels * second)
        self.conv4 = nn.Sequential(*conv_bn(channels * second, channels))

    def forward(self, x, tokens):
        tokens = self.global_block(self.local_global(x, tokens))
        y = self.conv2(self.hyper1(self.conv1(x), tokens))
        z = self.conv4(self.hyper3(self.conv3(y), tokens))
        return self.global_local(z + y, tokens), tokens


class Alone(nn.Module):
    """Without tokens: the first block."""

    def __init__(self, inputs, channels, stride, first, _):
        super().__init__()
        self.skips = stride == 1 and inputs == channels
        hidden = inputs * first
        depthwise = conv_bn(inputs, hidden, 3, stride, inputs)
        self.conv = nn.Sequential(*depthwise, nn.ReLU6(), nn.Identity(), *conv_bn(hidden, channels))

    def forward(self, x, tokens):
        y = self.conv(x)
        return (x + y if self.skips else y), tokens


class Classifier(nn.Module):
    def __init__(self, channels, features):
        super().__init__()
        self.conv = nn.Sequential(nn.Identity(), *conv_bn(channels, 6 * channels))
        self.fc = nn.Sequential(nn.Linear(6 * channels + DIM, features), nn.BatchNorm1d(features), nn.Hardswish())
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(features, 1000))

    def forward(self, x, tokens):
        pooled = nn.functional.hardswish(nn.functional.relu6(self.conv(x)).mean((2, 3)))
        return self.classifier(self.fc(torch.cat([pooled, tokens[:, 0]], 1)))


class MobileFormer(nn.Module):
    def __init__(self, stem, tokens, features, blocks):
        super().__init__()
        self.tokens = nn.Module()
        self.tokens.weight = nn.Parameter(torch.zeros(1, tokens, DIM))
        self.stem = nn.Sequential(*conv_bn(3, stem, 3, 2), nn.ReLU6())
        layers, inputs = [], stem
        for kind, first, channels, stride, second in blocks:
            block = Alone if second == 0 else Lite if kind == "lite" else Plain
            layers.append(block(inputs, channels, stride, first, second))
            inputs = channels
        self.features = nn.Sequential(*layers)
        self.local_global = LocalToGlobal(inputs)
        self.classifier = Classifier(inputs, features)

    def forward(self, x):
        tokens = self.tokens.weight.expand(len(x), -1, -1)
        x = self.stem(x)
        for block in self.features:
            x, tokens = block(x, tokens)
        return self.classifier(x, self.local_global(x, tokens))


def mobile_former(name):
    return MobileFormer(**VARIANTS[name])

"""Writes adamw.json: five steps of torch.optim.AdamW in float64 on a linear classifier. python test/golden/adamw.py"""

import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(0)


def draw(*shape):
    # Multiples of 2^-10: the same numbers in float32.
    return torch.round(torch.randn(*shape, generator=generator) * 1024) / 1024


def case(beta1, beta2, eps):
    weight, bias = draw(3, 5).requires_grad_(), draw(3).requires_grad_()
    start = {"weight": weight.tolist(), "bias": bias.tolist()}
    groups = [{"params": [weight]}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(beta1, beta2), eps=eps)
    steps = []
    for lr, weight_decay in [(2**-6, 0.5), (2**-5, 0.5), (2**-5, 0.25), (2**-6, 0.125), (2**-7, 0.0625)]:
        for group, decay in zip(optimizer.param_groups, (weight_decay, 0.0)):
            group["lr"], group["weight_decay"] = lr, decay
        x, target = draw(4, 5), torch.tensor([[0.75, 0.125, 0.125], [0.125, 0.75, 0.125], [0, 0, 1.0], [1.0, 0, 0]])
        loss = torch.nn.functional.cross_entropy(x @ weight.T + bias, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after = {}
        for name, parameter in (("weight", weight), ("bias", bias)):
            after[name] = parameter.tolist()
            for key in ("exp_avg", "exp_avg_sq"):
                after[f"{key}:{name}"] = optimizer.state[parameter][key].tolist()
        feeds = {"input": x.tolist(), "target": target.tolist(), "lr": lr, "weight_decay": weight_decay}
        steps.append({**feeds, "loss": loss.item(), "after": after})
    return {"beta1": beta1, "beta2": beta2, "epsilon": eps, "start": start, "steps": steps}


# The second case has an epsilon of the gradients' size: it tells whether it stands outside the root.
cases = [case(0.9, 0.999, 1e-8), case(0.5, 0.75, 0.0625)]
text = json.dumps({"torch": torch.__version__.split("+")[0], "cases": cases})
pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")

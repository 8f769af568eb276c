"""PyTorch's side of a comparison: python torch_side.py SPEC (JSON); prints a result as JSON. timm's models, eager, fp32."""
import json
import resource
import statistics
import sys
import time

start = time.perf_counter()
import timm
import torch

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
torch.manual_seed(0)
options = {}
if spec.get("k"):
    options["num_conv_branches"] = spec["k"]
name = "mobileone_" + spec["variant"]
if options:
    # timm has no argument for the number of branches: its block definitions carry it.
    from timm.models import byobnet
    import dataclasses

    config = byobnet.model_cfgs[name]
    def with_k(block):
        if isinstance(block, (list, tuple)):
            return type(block)(with_k(one) for one in block)
        kwargs = dict(block.block_kwargs or {})
        kwargs["num_conv_branches"] = spec["k"]
        return dataclasses.replace(block, block_kwargs=kwargs)
    byobnet.model_cfgs[name] = dataclasses.replace(config, blocks=with_k(config.blocks))
model = timm.create_model(name)
x = torch.sin(torch.arange(spec["batch"] * 3 * spec["size"] ** 2) * 0.37).reshape(spec["batch"], 3, spec["size"], spec["size"])
if spec["task"] == "train":
    model.train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 1e-4}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    target = torch.randint(0, 1000, (spec["batch"],))

    def run():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), target, label_smoothing=0.1)
        loss.backward()
        optimizer.step()
else:
    model.eval()
    if hasattr(timm.utils, "reparameterize_model"):
        model = timm.utils.reparameterize_model(model)

    def run():
        with torch.inference_mode():
            model(x)


def timed():
    begin = time.perf_counter()
    run()
    return (time.perf_counter() - begin) * 1e3


first = timed()
cold = (time.perf_counter() - start) * 1e3
for _ in range(2):
    timed()
times = [timed() for _ in range(spec["runs"])]
print(json.dumps({
    "ms": statistics.median(times),
    "minimum": min(times),
    "first": first,
    "cold": cold,
    "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "runtime": f"PyTorch {torch.__version__} (timm {timm.__version__}, eager, fp32, {spec['threads']} threads)",
}))

"""Checks Core ML packages of mobileone with Apple's coremltools, and computes them in numpy. Python is used by this test only.

    check-coreml.py schema SCHEMA.json      compare the field numbers of src/engine/coreml/schema.ts with Apple's descriptors
    check-coreml.py cases FOLDER…           check FOLDER/model.mlpackage against FOLDER/case.json and FOLDER/weights.bin

coremltools reads the model and the file of weights with its own code, builds the program anew with type inference, and
compares every type. Prints one line of JSON: what is in each file, or `failed` with what differs.
"""

import json
import logging
import os
import sys
import traceback

os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
logging.disable(logging.CRITICAL)

import numpy as np  # noqa: E402
import coremltools as ct  # noqa: E402
from coremltools.converters.mil.frontend.milproto.load import load as load_program  # noqa: E402
from coremltools.proto import FeatureTypes_pb2, MIL_pb2, Model_pb2  # noqa: E402


def check_schema(path):
    schema = json.load(open(path))
    kinds = {"bool": 8, "bytes": 12, "string": 9, "int32": 5, "int64": 3, "uint64": 4, "float": 2, "message": 11, "map": 11}
    files = [Model_pb2.DESCRIPTOR, FeatureTypes_pb2.DESCRIPTOR, MIL_pb2.DESCRIPTOR]
    fields = 0
    for name, ours in schema.items():
        *outer, last = name.removeprefix("MILSpec.").split(".")
        found = [file.message_types_by_name.get((outer or [last])[0]) for file in files]
        package = "CoreML.Specification" + (".MILSpec" if name.startswith("MILSpec.") else "")
        (message,) = [one for one in found if one is not None and one.full_name.rpartition(".")[0] == package]
        for part in [*outer[1:], last] if outer else []:
            message = message.nested_types_by_name[part]
        for key, (number, kind, *of) in ours.items():
            field = message.fields_by_name[key]
            expected = kinds[kind.strip("[]")]
            # An enum is written as the int32 that it is.
            actual = 5 if field.type == 14 else field.type
            assert (field.number, actual) == (number, expected), f"{name}.{key}: {field.number}, type {field.type}"
            assert field.is_repeated == (kind.startswith("[") or kind == "map"), f"{name}.{key}: repeated"
            if kind == "map":
                value = field.message_type.fields_by_name["value"]
                target = value.message_type.full_name if value.message_type else "string"
            else:
                target = field.message_type.full_name if field.message_type else None
            wanted = f"CoreML.Specification.{of[0]}" if of and of[0] != "string" else (of or [None])[0]
            assert target == wanted, f"{name}.{key}: {target} instead of {wanted}"
            fields += 1
    print(json.dumps({"messages": len(schema), "fields": fields}))


NUMPY_TYPES = {"fp16": np.float16, "fp32": np.float32}


def conv(x, weight, bias, strides, pad, dilations, groups):
    """Convolution by loops over the kernel; MIL's order of pad is top, bottom, left, right."""
    x = np.pad(x, [(0, 0), (0, 0), (pad[0], pad[1]), (pad[2], pad[3])])
    out_channels, per_group, kh, kw = weight.shape
    height = (x.shape[2] - dilations[0] * (kh - 1) - 1) // strides[0] + 1
    width = (x.shape[3] - dilations[1] * (kw - 1) - 1) // strides[1] + 1
    out = np.zeros((x.shape[0], out_channels, height, width))
    share = out_channels // groups
    if per_group == share == 1:
        for i in range(kh):
            for j in range(kw):
                top, left = i * dilations[0], j * dilations[1]
                rows = slice(top, top + strides[0] * height, strides[0])
                out += x[:, :, rows, left : left + strides[1] * width : strides[1]] * weight[:, 0, i, j].reshape(1, -1, 1, 1)
        groups = 0
    for g in range(groups):
        own = x[:, g * per_group : (g + 1) * per_group]
        for i in range(kh):
            for j in range(kw):
                top, left = i * dilations[0], j * dilations[1]
                piece = own[:, :, top : top + strides[0] * height : strides[0], left : left + strides[1] * width : strides[1]]
                kernel = weight[g * share : (g + 1) * share, :, i, j]
                out[:, g * share : (g + 1) * share] += np.tensordot(kernel, piece, (1, 1)).swapaxes(0, 1)
    return out + (0 if bias is None else bias.reshape(1, -1, 1, 1))


def batch_norm(x, mean, variance, gamma, beta, epsilon):
    m, v, g, b = (value.reshape(1, -1, 1, 1) for value in (mean, variance, gamma, beta))
    return (x - m) / np.sqrt(v + epsilon) * g + b


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


OPERATIONS = {
    "mul": lambda i: i["x"] * i["y"],
    "add": lambda i: i["x"] + i["y"],
    "cast": lambda i: i["x"],
    "identity": lambda i: i["x"],
    "relu": lambda i: np.maximum(i["x"], 0),
    "sigmoid": lambda i: 1 / (1 + np.exp(-i["x"])),
    "softmax": lambda i: softmax(i["x"], i["axis"]),
    "reduce_mean": lambda i: i["x"].mean(axis=tuple(i["axes"]), keepdims=bool(i["keep_dims"])),
    "reshape": lambda i: i["x"].reshape(i["shape"]),
    "linear": lambda i: i["x"] @ i["weight"].T + i["bias"],
    "conv": lambda i: conv(i["x"], i["weight"], i.get("bias"), i["strides"], i["pad"], i["dilations"], i["groups"]),
    "batch_norm": lambda i: batch_norm(i["x"], i["mean"], i["variance"], i["gamma"], i["beta"], i["epsilon"]),
}


def operations(program):
    return [op for op in program.functions["main"].operations if op.op_type != "const"]


def compute(program, feeds):
    """Results by name. Each is computed in float64 and then rounded to the type that the program gives it."""
    values = dict(feeds)

    def value_of(var):
        value = values[var.name] if var.name in values else var.val
        return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value

    for op in operations(program):
        inputs = {name: value_of(var) for name, var in op.inputs.items() if var is not None and op.op_type != "classify"}
        if op.op_type == "classify":
            probabilities, classes = value_of(op.inputs["probabilities"]), list(op.inputs["classes"].val)
            values[op.outputs[0].name] = classes[int(probabilities.argmax())]
            values[op.outputs[1].name] = dict(zip(classes, probabilities.reshape(-1).tolist()))
            continue
        result = OPERATIONS[op.op_type](inputs)
        output = op.outputs[0]
        assert result.shape == tuple(output.shape), f"{op.name}: {result.shape} instead of {output.shape}"
        values[output.name] = result.astype(NUMPY_TYPES[ct.converters.mil.mil.types.builtin_to_string(output.dtype)])
    return values


def parameters(program):
    """Constants of floats by name."""
    return {
        op.outputs[0].name: np.asarray(op.outputs[0].val)
        for op in program.functions["main"].operations
        if op.op_type == "const" and np.asarray(op.outputs[0].val).dtype.kind == "f"
    }


def outline(program):
    """Every operation as plain data, with inputs as the numbers of the operations that make them."""
    made = {name: f"input {i}" for i, name in enumerate(program.functions["main"].inputs)}
    lines = []
    for op in operations(program):
        line = {"type": op.op_type, "shape": list(op.outputs[0].shape), "dtype": str(op.outputs[0].dtype)}
        for name, var in sorted(op.inputs.items()):
            if var is None or name == "pad_type":
                continue
            value = None if var.name in made else var.val
            if value is None:
                line[name] = made[var.name]
            elif np.asarray(value).dtype.kind == "f":
                line[name] = [list(np.shape(value)), np.asarray(value).tobytes().hex()]
            else:
                line[name] = np.asarray(value).tolist()
        if op.op_type == "conv" and op.inputs["pad_type"].val == "valid":
            line["pad"] = [0, 0, 0, 0]
        for out in op.outputs:
            made[out.name] = len(lines)
        lines.append(line)
    return lines


def convert_with_torch(case, weights, nodes, shape, precision):
    """The same network written in torch from the nodes of the graph, converted by coremltools; and torch's logits."""
    import torch
    import torch.nn.functional as F

    tensors = {name: torch.tensor(value) for name, value in weights.items()}

    class Network(torch.nn.Module):
        def forward(self, x):
            values = {case["graph_input"]: x}
            for node in nodes:
                a = [values[name] for name in node["inputs"]]
                p = {role: tensors[name] for role, name in node["params"].items()}
                kind, attrs = node["kind"], node["attrs"]
                if kind == "Conv":
                    top, left, bottom, right = attrs["pads"]
                    assert (top, left) == (bottom, right)
                    y = F.conv2d(a[0], p["weight"], p["bias"], attrs["strides"], (top, left), attrs["dilations"], attrs["group"])
                elif kind == "GlobalAveragePool":
                    y = a[0].mean([-2, -1], keepdim=True)
                else:
                    y = {
                        "Relu": lambda: torch.relu(a[0]),
                        "Sigmoid": lambda: torch.sigmoid(a[0]),
                        "Mul": lambda: a[0] * a[1],
                        "Flatten": lambda: torch.flatten(a[0], 1),
                        "Gemm": lambda: F.linear(a[0], p["weight"], p["bias"]),
                    }[kind]()
                values[node["outputs"][0]] = y
            return y

    network = Network().eval()
    traced = torch.jit.trace(network, torch.zeros(shape))
    converted = ct.convert(
        traced,
        inputs=[ct.TensorType(name="input", shape=shape)],
        outputs=[ct.TensorType(name="logits")],
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS15,
        compute_precision=ct.precision.FLOAT16 if precision == "fp16" else ct.precision.FLOAT32,
        skip_model_load=True,
    )
    return network, converted


def compare_with_torch(case, weights, program, image, expected):
    """Operation by operation; None without torch."""
    try:
        import torch
    except ImportError:
        return None
    network, converted = convert_with_torch(case, weights, case["nodes"], case["input_shape"], case["precision"])
    with torch.no_grad():
        theirs = network(torch.tensor(image)).numpy().reshape(-1)
    spec = converted.get_spec()
    reference = outline(load_program(spec, spec.specificationVersion, converted.weights_dir))
    for i, (a, b) in enumerate(zip(outline(program), reference)):
        for key in {*a, *b}:
            x, y = a.get(key), b.get(key)
            if key == "axes":
                x, y = sorted(v % 4 for v in x), sorted(v % 4 for v in y)
            assert x == y, f"operation {i} ({a['type']} beside {b['type']}): {key} is {str(x)[:90]} beside {str(y)[:90]}"
    return {
        "specification": spec.specificationVersion,
        "operations": len(reference),
        "error": float(np.abs(theirs - expected).max() / np.abs(expected).max()),
    }


def check_case(folder):
    case = json.load(open(os.path.join(folder, "case.json")))
    raw = np.fromfile(os.path.join(folder, "weights.bin"), np.float32)
    weights, at = {}, 0
    for name, shape in case["params"]:
        count = int(np.prod(shape))
        weights[name] = raw[at : at + count].reshape(shape)
        at += count

    model = ct.models.MLModel(os.path.join(folder, "model.mlpackage"), skip_model_load=True)
    spec = model.get_spec()
    program = load_program(spec, spec.specificationVersion, model.weights_dir)
    program.validate()

    # Every weight to the bit; numpy's rounding to halves beside ours.
    read = parameters(program)
    kind = NUMPY_TYPES[case["precision"]]
    for name, value in weights.items():
        own = read["".join(c if c.isalnum() or c == "_" else "_" for c in name)]
        assert own.dtype == kind and own.tobytes() == value.astype(kind).tobytes(), f"{name} differs"

    image = np.array(case["input"], np.float32).reshape(case["input_shape"])
    (name,) = program.functions["main"].inputs
    results = compute(program, {name: image})
    expected = np.array(case["logits"])
    largest = np.abs(expected).max()
    error = float(np.abs(results["logits"].reshape(-1) - expected).max() / largest)
    answer = {
        "specification": spec.specificationVersion,
        "input": {"name": spec.description.input[0].name, "type": spec.description.input[0].type.WhichOneof("Type")},
        "outputs": [one.name for one in spec.description.output],
        "classifier": [spec.description.predictedFeatureName, spec.description.predictedProbabilitiesName],
        "author": model.author,
        "license": model.license,
        "version": model.version,
        "metadata": sorted(model.user_defined_metadata),
        "operations": len(operations(program)),
        "weights": len(weights),
        "error": error,
    }
    image_type = spec.description.input[0].type.imageType
    if answer["input"]["type"] == "imageType":
        color = FeatureTypes_pb2.ImageFeatureType.ColorSpace.Name(image_type.colorSpace)
        answer["input"].update(width=image_type.width, height=image_type.height, color=color)
    if "classLabel" in results:
        answer["label"] = results["classLabel"]
        answer["labels"] = list(results["classLabel_probs"])
        answer["sum"] = sum(results["classLabel_probs"].values())
    if "probabilities" in answer["outputs"]:
        answer["probabilities"] = results["probabilities"].reshape(-1).tolist()

    if case.get("nodes"):
        answer["torch"] = compare_with_torch(case, weights, program, image, expected)
    return answer


def check_cases(*folders):
    answers = {}
    for folder in folders:
        try:
            answers[os.path.basename(folder)] = check_case(folder)
        except Exception:
            answers[os.path.basename(folder)] = {"failed": traceback.format_exc()}
    print(json.dumps(answers))


if __name__ == "__main__":
    {"schema": check_schema, "cases": check_cases}[sys.argv[1]](*sys.argv[2:])

"""Checks the ONNX files of a folder with the onnx package, and runs them: python check-onnx.py DIR -> JSON.

DIR/cases.json lists {file, input: {name, dtype, shape, data}, logits, rows}. Each file is checked strictly and run by
ONNX Runtime and by the reference evaluator of the onnx package, which computes float16 in float16.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

folder = sys.argv[1]
results = []
for case in json.load(open(f"{folder}/cases.json")):
    path = f"{folder}/{case['file']}"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    spec = case["input"]
    feeds = {spec["name"]: np.fromfile(f"{folder}/{spec['data']}", spec["dtype"]).reshape(spec["shape"])}
    expected = np.array(case["logits"]).reshape(case["rows"], -1)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    runtimes = {
        "onnxruntime": session.run(["logits"], feeds)[0],
        "reference": ReferenceEvaluator(model).run(["logits"], feeds)[0],
    }
    errors = {name: float(np.abs(found - expected).max() / np.abs(expected).max()) for name, found in runtimes.items()}
    results.append({"file": case["file"], "errors": errors, "dtypes": [str(one.dtype) for one in runtimes.values()]})
json.dump({"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "results": results}, sys.stdout)

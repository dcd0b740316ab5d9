"""ONNX through tf2onnx, run by ONNX Runtime.

From a `tf.function`: `tf2onnx.convert.from_keras` does not know Keras 3 (tf2onnx issue 2448).
"""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tf2onnx

import kerazoo
from kerazoo.export import savedmodel
from kerazoo.export.verify import Forward

OPSET = 18  # the newest that tf2onnx 1.17 writes


def write(model: keras.Model, path: Path, names: Sequence[str]) -> None:
    """Write an ONNX file whose metadata hold the class names as a JSON list."""
    serve = savedmodel.function(model)
    proto, _ = tf2onnx.convert.from_function(serve, input_signature=serve.input_signature, opset=OPSET)
    for dimension, name in zip(
        proto.graph.input[0].type.tensor_type.shape.dim, ("batch", "height", "width"), strict=False
    ):
        dimension.dim_param = name
    about = {"class_names": json.dumps(list(names)), "kerazoo_version": kerazoo.__version__}
    onnx.helper.set_model_props(proto, about)
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def forward(path: Path) -> Forward:
    """Return an ONNX file as a NumPy function, run by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(outputs, session.run(outputs, {"image": images}), strict=True))

    return run

"""ONNX through tf2onnx, run by ONNX Runtime.

From a `tf.function`: `tf2onnx.convert.from_keras` does not know Keras 3 (tf2onnx issue 2448).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

import kerazoo
from kerazoo.engine.export.verify import Forward

OPSET = 18  # the newest that tf2onnx 1.17 writes


def write(model: keras.Model, path: Path, names: Sequence[str]) -> None:
    """Write an ONNX file whose metadata hold the class names as a JSON list."""
    proto = _with_weights(model)
    for dimension, name in zip(_shape(proto.graph.input[0]), ("batch", "height", "width"), strict=False):
        if not dimension.dim_value:
            dimension.dim_param = name
    about = {"class_names": json.dumps(list(names)), "kerazoo_version": kerazoo.__version__}
    onnx.helper.set_model_props(proto, about)
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def _with_weights(model: keras.Model) -> onnx.ModelProto:
    """Convert with the weights as arguments and store their values afterwards.

    As constants tf2onnx copies them in each of its passes: 10.8 GB for the 128 MB of an FCN of
    half the width, against 1.5 GB so, and 37 s against 3.
    """
    trained = len(model.trainable_variables)
    weights = [*model.trainable_variables, *model.non_trainable_variables]

    @tf.function
    def serve(image, values):
        outputs, _ = model.stateless_call(
            values[:trained], values[trained:], {"image": image}, training=False
        )
        return outputs

    image = tf.TensorSpec(model.input["image"].shape, tf.float32, name="image")
    values = [tf.TensorSpec(w.shape, w.dtype, name=w.path) for w in weights]
    proto, _ = tf2onnx.convert.from_function(serve, input_signature=[image, values], opset=OPSET)
    graph, used = proto.graph, {name for node in proto.graph.node for name in node.input}
    del graph.input[1:]
    for spec, weight in zip(values, weights, strict=True):
        if spec.name in used:
            array = keras.ops.convert_to_numpy(weight)
            graph.initializer.append(onnx.numpy_helper.from_array(array, spec.name))
    return proto


def _shape(value: onnx.ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim


def forward(path: Path) -> Forward:
    """Return an ONNX file as a NumPy function, run by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(outputs, session.run(outputs, {"image": images}), strict=True))

    return run

"""TensorFlow's SavedModel, with a named signature for TensorFlow Serving."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerazoo.engine.export.verify import Forward

SIGNATURE = "serving_default"


def function(model: keras.Model) -> Any:
    """Return the model as a `tf.function` of one tensor `image`, `(N, H, W, C)` with only C known."""
    shape = model.input["image"].shape

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])
    def serve(image):
        return model({"image": image}, training=False)

    return serve


def write(model: keras.Model, path: Path, names: Sequence[str] = ()) -> None:
    """Write a SavedModel into the folder `path`; it has no place for class names."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(SIGNATURE, function(model))
    archive.write_out(str(path), verbose=False)


def forward(path: Path) -> Forward:
    """Return a SavedModel's signature as a NumPy function."""
    loaded = tf.saved_model.load(str(path))  # kept by the closure: its variables live as long as it does

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = loaded.signatures[SIGNATURE](image=tf.constant(images))
        return {name: value.numpy() for name, value in outputs.items()}

    return run

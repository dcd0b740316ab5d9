"""LiteRT (once TensorFlow Lite), built-in operations only, any batch, height and width."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from kerazoo.engine.export import savedmodel
from kerazoo.engine.export.verify import Forward


def write(model: keras.Model, path: Path, names: Sequence[str] = ()) -> None:
    """Write a `.tflite` file; by way of a SavedModel, which keeps the names of input and output."""
    with tempfile.TemporaryDirectory() as folder:
        savedmodel.write(model, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[savedmodel.SIGNATURE])
        path.write_bytes(converter.convert())


def forward(path: Path) -> Forward:
    """Return a `.tflite` file as a NumPy function; the interpreter resizes its input itself."""
    with warnings.catch_warnings():  # it will move to the package ai-edge-litert
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(str(path))
    runner = interpreter.get_signature_runner(savedmodel.SIGNATURE)
    return lambda images: runner(image=images)

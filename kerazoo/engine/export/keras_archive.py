"""Keras' own archive, opened in safe mode by `import kerazoo.layers` and `keras.saving.load_model`."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from kerazoo.engine.export.verify import Forward


def write(model: keras.Model, path: Path, names: Sequence[str] = ()) -> None:
    """Write a `.keras` archive."""
    model.save(str(path))


def forward(path: Path) -> Forward:
    """Return a `.keras` archive as a NumPy function."""
    model = keras.saving.load_model(str(path), compile=False, safe_mode=True)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = model({"image": images}, training=False)
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    return run

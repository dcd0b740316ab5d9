"""What networks and layers are given where any numbers do."""

import numpy as np


def normal(*shape: int) -> np.ndarray:
    """Return float32 of this shape, normally distributed; always the same."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def uniform(*shape: int) -> np.ndarray:
    """Return float32 of this shape, -1..1; always the same."""
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")

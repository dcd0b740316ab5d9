"""The weights and inputs of the parity fixtures, drawn from a seed and each array's own name.

Rules: every array has its generator, default_rng([seed, crc32(key)]); its kind says the law.
"""

import zlib
from math import prod, sqrt

import numpy as np


def image(shape, seed):
    """Return a float32 NCHW input, uniform on [-1, 1)."""
    return np.random.default_rng([seed, 777]).uniform(-1.0, 1.0, shape).astype("float32")


def state(manifest):
    """Return `{key: array}` for a fixture's manifest."""
    seed, gain = manifest["seed"], manifest.get("gain", 1.0)
    return {key: draw(key, seed=seed, gain=gain, **entry) for key, entry in manifest["keys"].items()}


def draw(key, shape, kind, seed, gain=1.0):
    """Return the array of one checkpoint key, float32 except for counters."""
    rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
    laws = {
        "kernel": lambda: rng.standard_normal(shape) * (gain * sqrt(2 / prod(shape[1:]))),
        "kernel_transposed": lambda: (
            rng.standard_normal(shape) * (gain * sqrt(2 / (shape[0] * prod(shape[2:]))))
        ),
        "scale": lambda: rng.uniform(0.5, 1.5, shape),
        "prelu": lambda: rng.uniform(0.0, 0.5, shape),
        "bilinear": lambda: interpolation(shape),
        "int": lambda: np.zeros(shape),
    }
    laws["var"] = laws["scale"]
    laws["bias"] = laws["shift"] = laws["mean"] = lambda: 0.1 * rng.standard_normal(shape)
    return np.asarray(laws[kind](), "int64" if kind == "int" else "float32")


def interpolation(shape):
    """Return the (in, out, k, k) kernel that interpolates bilinearly, channel by channel."""
    size = shape[-1]
    distance = np.abs(np.arange(size) - (size - 1) / 2)
    ramp = 1 - distance / ((size + 1) // 2)
    return np.eye(*shape[:2])[:, :, None, None] * np.outer(ramp, ramp)

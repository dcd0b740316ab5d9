"""The operations below the layers, each in the form that the running backend computes fastest.

All take and give maps `(N, H, W, C)`, and agree on the three backends to float32 rounding.
"""

from kerazoo import backend
from kerazoo.layers.operations.general import (
    convolution,
    depthwise_convolution,
    instance_norm,
    keep_kernel,
    max_pool,
    reflect_pad,
    transposed_convolution,
)

if backend.name() == "torch":
    from kerazoo.layers.operations.on_torch import (
        convolution,
        depthwise_convolution,
        instance_norm,
        keep_kernel,
        max_pool,
        reflect_pad,
        transposed_convolution,
    )
elif backend.name() == "jax":
    from kerazoo.layers.operations.on_jax import (
        convolution,
        depthwise_convolution,
        max_pool,
        transposed_convolution,
    )

__all__ = [
    "convolution",
    "depthwise_convolution",
    "instance_norm",
    "keep_kernel",
    "max_pool",
    "reflect_pad",
    "transposed_convolution",
]

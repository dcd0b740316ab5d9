"""DropBlock (Ghiasi, Lin and Le 2018, arXiv:1810.12890): whole regions of a map are dropped in training."""

import random
from typing import Any

import keras
from keras import layers, ops

from kerazoo.layers.registered import registered


@registered
class DropBlock(layers.Layer):
    """Drop squares of a map, in each channel others, and scale up what is left.

    Single elements tell the network little that their neighbours do not.

    A square begins at an element with the probability with which an element far from the border is dropped
    at `rate`; the paper's formula is the same up to squares that overlap.

    Shape: `(N, H, W, C)` -> the same.

    Args:
        rate: share that is dropped, 0..1.
        block: side of the squares, odd.
        seed: of the random state; None takes one from Python's generator.
    """

    def __init__(self, rate: float, block: int = 7, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.block = rate, block
        self.generator = keras.random.SeedGenerator(random.randrange(2**31) if seed is None else seed)

    def call(self, x, training=None):
        if not training:
            return x
        begins = 1 - (1 - self.rate) ** (1 / self.block**2)
        drawn = keras.random.uniform(ops.shape(x), seed=self.generator)
        begun = ops.cast(drawn < begins, "float32")
        dropped = ops.max_pool(begun, self.block, 1, "same", data_format="channels_last")
        left = 1.0 - dropped
        scale = 1.0 / ops.maximum(ops.mean(left), 1e-3)
        return x * ops.cast(left * scale, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "block": self.block}

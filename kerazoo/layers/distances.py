"""How far apart two embeddings are: what the two halves of a Siamese network meet in."""

from typing import Any

from keras import layers, ops

from kerazoo.layers.blocks import HeNormal
from kerazoo.layers.registered import registered


@registered
class EuclideanDistance(layers.Layer):
    """The Euclidean distance of two embeddings.

    Shape: two of `(..., D)`, broadcast against each other -> float32 `(...)`.

    Args:
        epsilon: added below the root, whose gradient at 0 is infinite: two equal images would make every
            weight NaN. The distance of equal embeddings is its root, 1e-6, and the gradient there 0.
    """

    def __init__(self, epsilon: float = 1e-12, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, a_shape, b_shape):
        self.built = True

    def call(self, a, b):
        apart = ops.cast(a, "float32") - ops.cast(b, "float32")
        return ops.sqrt(ops.sum(ops.square(apart), axis=-1) + self.epsilon)

    def compute_output_shape(self, a_shape, b_shape):
        return a_shape[:-1]

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}


@registered
class WeightedL1(layers.Layer):
    """Whether two embeddings are alike, by a learned weight of every absolute difference (Koch et al. 2015).

    Shape: two of `(..., D)`, broadcast against each other -> logits, float32 `(...)`; above 0 they are alike.
    """

    def build(self, a_shape, b_shape):
        kernel = {"shape": (a_shape[-1], 1), "initializer": HeNormal(gain=0.1)}
        self.kernel = self.add_weight(**kernel, name="kernel")
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")

    def call(self, a, b):
        apart = ops.abs(ops.cast(a, "float32") - ops.cast(b, "float32"))
        logits = ops.matmul(apart, ops.cast(self.kernel, "float32"))[..., 0]
        return logits + ops.cast(self.bias, "float32")

    def compute_output_shape(self, a_shape, b_shape):
        return a_shape[:-1]

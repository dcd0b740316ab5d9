"""Normalisation by the statistics of the image itself."""

from typing import Any

from keras import layers, ops

from kerazoo.layers import operations
from kerazoo.layers.registered import registered


@registered
class InstanceNormalization(layers.Layer):
    """Give every channel of every image mean 0 and variance 1, then, if `affine`, a learned scale and offset.

    What a batch normalisation does that was frozen in training mode and is shown one image at a time;
    here images of a batch do not see each other. The same while training and predicting: nothing is
    averaged over steps. In float32 whatever the precision, and the variance from the deviations, since
    that from the squares loses the digits that the mean takes.

    Shape: `(N, H, W, C)` -> the same.

    Args:
        epsilon: added to the variance.
        affine: with a learned scale and offset; without them it is PyTorch's InstanceNorm2d.
    """

    def __init__(self, epsilon: float = 1e-3, affine: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon, self.affine = epsilon, affine

    def build(self, input_shape):
        if not self.affine:
            return
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="beta")

    def call(self, x):
        gamma, beta = (
            (ops.cast(v, "float32") for v in (self.gamma, self.beta)) if self.affine else (None, None)
        )
        y = operations.instance_norm(ops.cast(x, "float32"), gamma, beta, self.epsilon)
        return ops.cast(y, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon, "affine": self.affine}

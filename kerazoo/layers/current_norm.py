"""Normalisation by the statistics of the batch at hand, for networks that adapt to a few pictures."""

from typing import Any

from keras import layers, ops

from kerazoo.layers.blocks import registered


@registered
class CurrentNorm(layers.Layer):
    """Give every channel of a batch mean 0 and variance 1, then a learned offset and, if `scale`, a scale.

    While predicting, too: what a picture is told to be depends on those it is seen with. The published
    MAML (offset only) and Reptile do so; nothing is averaged over steps. Made of `ops.mean` and not of
    Keras' batch normalisation, whose gradients of gradients are wrong by 1e-3 on TensorFlow
    (`tf.nn.moments` takes the mean for a constant).

    Shape: `(N, ..., C)` -> the same.

    Args:
        epsilon: added to the variance.
        scale: with a learned scale.
    """

    def __init__(self, epsilon: float = 1e-3, scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon, self.scale = epsilon, scale

    def build(self, input_shape):
        if self.scale:
            self.gamma = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="beta")

    def call(self, x):
        single, axes = ops.cast(x, "float32"), tuple(range(len(x.shape) - 1))
        centred = single - ops.mean(single, axes, keepdims=True)
        variance = ops.mean(ops.square(centred), axes, keepdims=True)
        normal = centred * ops.rsqrt(variance + self.epsilon)
        if self.scale:
            normal = normal * ops.cast(self.gamma, "float32")
        return ops.cast(normal + ops.cast(self.beta, "float32"), x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon, "scale": self.scale}

"""Conv-4: the four blocks that few-shot learning is compared on (Vinyals et al. 2016, arXiv:1606.04080)."""

from typing import Literal

import keras
from keras import layers

from kerazoo.layers import (
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    BatchNormalization,
    CurrentNorm,
    HeNormal,
    MaxPooling2D,
    pad_conv,
)

BLOCKS = 4


def conv4(
    *,
    size: tuple[int, int] | None = None,
    channels: int = 1,
    classes: int | None = None,
    filters: int = 64,
    pool: Literal["max", "stride"] = "max",
    features: Literal["flatten", "mean"] = "flatten",
    norm: Literal["running", "current"] = "running",
    scale: bool = True,
    epsilon: float = BATCH_NORM_EPSILON,
) -> keras.Model:
    """Return four blocks of 3x3 convolution, batch normalisation, ReLU and halving.

    111,680 parameters that are trained for one channel and 64 filters, without a classifier. The published
    networks have 256 more: biases of the convolutions, which the normalisation that follows takes out again.

    Shape: `(N, H, W, channels)` -> `{"embedding": float32 (N, D)}`, or with classes
        `{"logits": float32 (N, classes)}`. D is `filters` times, with "flatten", the cells of the last block:
        H and W halved four times, rounded down by pooling and up by strides.

    Args:
        size: H and W; None for any, which a classifier of flattened cells does not allow.
        channels: of the image.
        classes: logits of one dense layer; None ends in the embedding.
        filters: of every block.
        pool: halve by "max" pooling (Snell et al. 2017; MAML's miniImageNet), or by the "stride" of the
            convolution (MAML's and Reptile's Omniglot).
        features: "flatten" the last block's cells, or take their "mean" (MAML's Omniglot).
        norm: by "running" statistics while predicting, or always by those of the "current" batch.
        scale: normalisations learn one, besides an offset.
        epsilon: of the normalisations.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.conv4(size=(28, 28), filters=8)
        >>> network.compute_output_shape((5, 28, 28, 1))
        {'embedding': (5, 8)}
    """
    x = image = keras.Input((*(size or (None, None)), channels), name="image")
    for block in range(1, BLOCKS + 1):
        name = f"conv{block}"
        x = pad_conv(x, filters, stride=2 if pool == "stride" else 1, bias=False, name=name)
        if norm == "running":
            x = BatchNormalization(
                epsilon=epsilon, momentum=BATCH_NORM_MOMENTUM, scale=scale, name=f"{name}_bn"
            )(x)
        else:
            x = CurrentNorm(epsilon, scale, name=f"{name}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_act")(x)
        if pool == "max":
            x = MaxPooling2D(2, name=f"{name}_pool")(x)
    last = layers.Flatten if features == "flatten" else layers.GlobalAveragePooling2D
    x = last(name="features", dtype="float32")(x)
    if classes is None:
        return keras.Model(image, {"embedding": x}, name="conv4")
    logits = layers.Dense(classes, kernel_initializer=HeNormal(gain=0.1), dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="conv4")

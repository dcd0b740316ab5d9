"""Siamese networks: two images go through one tower, and their embeddings meet in a distance."""

from typing import Literal

import keras
from keras import layers

from kerazoo.families.resnet.model import resnet_features
from kerazoo.layers import Conv2D, EuclideanDistance, HeNormal, MaxPooling2D, WeightedL1

Head = Literal["euclidean", "weighted_l1"]

KOCH = ((64, 10), (128, 7), (128, 4), (256, 4))
"""Filters and kernel of Koch's four convolutions, for 64 filters in the first."""


def siamese(tower: keras.Model, *, head: Head = "euclidean") -> keras.Model:
    """Return the network that tells how far apart two images are.

    Shape: `{"a", "b": (N, H, W, C)}` -> with "euclidean" `{"distance": float32 (N,)}`, 0 where they are the
        same; with "weighted_l1" `{"logits": float32 (N,)}`, above 0 where they are alike. There is no sigmoid
        over the distance: it could then never exceed a margin.

    Args:
        tower: any network `(N, H, W, C)` -> `{"embedding": (N, D)}`. Both images go through it, so it is
            there once, with one set of weights. D must be known for "weighted_l1".
        head: what the embeddings meet in.

    Example:
        >>> import kerazoo
        >>> tower = kerazoo.models.conv4(size=(28, 28), filters=8)
        >>> network = kerazoo.models.siamese(tower)
        >>> network.compute_output_shape({"a": (5, 28, 28, 1), "b": (5, 28, 28, 1)})
        {'distance': (5,)}
    """
    a, b = (keras.Input(tower.input_shape[1:], name=name) for name in ("a", "b"))
    embedded = tower(a)["embedding"], tower(b)["embedding"]
    if head == "euclidean":
        met = {"distance": EuclideanDistance(name="head", dtype="float32")(*embedded)}
    else:
        met = {"logits": WeightedL1(name="head", dtype="float32")(*embedded)}
    return keras.Model({"a": a, "b": b}, met, name="siamese")


def siamese_koch(
    *, size: tuple[int, int] = (105, 105), channels: int = 1, width: int = 64, embedding: int = 4096
) -> keras.Model:
    """Return the tower of Koch et al. 2015: four convolutions, three poolings and a dense layer of sigmoids.

    38,951,745 parameters at 105 x 105 with the head "weighted_l1". They start by He et al. 2015: under the
    paper's deviation of 0.2, from 9,216 inputs, hardly a sigmoid is between 0.1 and 0.9.

    Shape: `(N, H, W, channels)` -> `{"embedding": float32 (N, embedding)}`, 0..1.

    Args:
        size: H and W, which the dense layer needs to know; 84 x 84 at least.
        channels: of the image.
        width: filters of the first convolution; the others have two, two and four times as many.
        embedding: of the dense layer.

    Example:
        >>> import kerazoo
        >>> tower = kerazoo.models.siamese_koch(width=4, embedding=16)
        >>> tower.compute_output_shape((5, 105, 105, 1))
        {'embedding': (5, 16)}
    """
    x = image = keras.Input((*size, channels), name="image")
    for block, (filters, kernel) in enumerate(KOCH, 1):
        name = f"conv{block}"
        x = Conv2D(
            filters * width // 64,
            kernel,
            kernel_initializer=HeNormal(),
            activation="relu",
            name=name,
        )(x)
        if block < len(KOCH):
            x = MaxPooling2D(2, name=f"{name}_pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(
        embedding,
        kernel_initializer=HeNormal(gain=0.5),
        activation="sigmoid",
        dtype="float32",
        name="embedding",
    )(x)
    return keras.Model(image, {"embedding": x}, name="koch")


def averaged_resnet(*, depth: int = 18, channels: int = 3, width: int = 64) -> keras.Model:
    """Return a ResNet's last map, averaged over its cells, as an embedding.

    Shape: `(N, H, W, channels)` -> `{"embedding": float32 (N, D)}`. D is 8 * width, from 50 layers on four
        times that.

    Args:
        depth, channels, width: see `kerazoo.families.resnet.model.resnet_features`.
    """
    features = resnet_features(depth=depth, channels=channels, width=width)
    x = layers.GlobalAveragePooling2D(name="average", dtype="float32")(features.output["c5"])
    return keras.Model(features.input, {"embedding": x}, name=f"resnet{depth}_average")

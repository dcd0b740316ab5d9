"""What the networks of part affinity fields end their stages in."""

import keras

from kerazoo.layers import Conv2D, Normal, conv_norm_act

DEVIATION = 0.01
"""Of the Gaussian that the published trainings start from."""


def heads(
    x: keras.KerasTensor, hidden: int, points: int, limbs: int, name: str, *, norm: bool = False
) -> dict[str, keras.KerasTensor]:
    """Return heat maps and fields, each by a hidden and a linear 1x1 convolution.

    Shape: `(N, h, w, C)` -> `{"NAME_heatmaps": (N, h, w, points + 1), "NAME_fields": (N, h, w, 2 * limbs)}`.

    Args:
        hidden: channels of the hidden convolutions.
        points, limbs: without the background.
        name: of the stage.
        norm: normalise the hidden convolutions by batch, which published layouts do not.
    """
    maps = {}
    for branch, channels in channels_of(points, limbs).items():
        mixed = conv_norm_act(x, hidden, 1, norm=norm, name=f"{name}_{branch}_conv1")
        maps[f"{name}_{branch}"] = linear(mixed, channels, name=f"{name}_{branch}")
    return maps


def channels_of(points: int, limbs: int) -> dict[str, int]:
    """Return the channels of each branch: a map per point and the background, x and y per limb."""
    return {"heatmaps": points + 1, "fields": 2 * limbs}


def linear(x: keras.KerasTensor, channels: int, *, name: str) -> keras.KerasTensor:
    """Convolve 1x1 to an output in float32 that starts near zero."""
    return Conv2D(channels, 1, kernel_initializer=Normal(DEVIATION), dtype="float32", name=name)(x)


def scaled(channels: float, width: float) -> int:
    """Return the channels of a layer in a network of another width."""
    return max(1, round(channels * width))

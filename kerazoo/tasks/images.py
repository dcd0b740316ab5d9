"""What the tasks that answer about one image share: channels, normalisation, and labels with names."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import numpy as np

from kerazoo.settings import settings
from kerazoo.task import Task

if TYPE_CHECKING:
    import keras

WHOLE = 2**22
"""Pixels of the largest image that networks of any size are given whole: more take gigabytes."""

TILE = 1024
"""Side of the tiles in which larger images are predicted where nobody asks for another."""

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375), "order": "RGB"}
"""The normalisation that torchvision, timm and most published weights were trained with."""


@settings
class ImageTask(Task):
    """A task on single images.

    Attributes:
        channels: 3 for RGB, 1 for grey; images are converted.
        mean, std: per-channel normalisation in units of 0..255; one value serves all.
        order: channel order of a 3-channel network's input.
    """

    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (63.75,)
    order: Literal["RGB", "BGR"] = "RGB"

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise ValueError(f"{name} needs one value or one per channel")
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")

    def normalised(self, image: np.ndarray) -> np.ndarray:
        """Return a network's input: uint8 `(H, W, 3)`, RGB -> float32 `(H, W, channels)`."""
        if self.channels == 1:
            image = grey(image)
        elif self.order == "BGR":
            image = image[..., ::-1]
        scale = 1.0 / np.asarray(self.std, "float32")
        return image.astype("float32") * scale - np.asarray(self.mean, "float32") * scale

    def serving_input(
        self, size: tuple[int | None, int | None] = (None, None)
    ) -> tuple["keras.KerasTensor", "keras.KerasTensor"]:
        """Return the input of an exported graph and what `normalised` makes of it.

        Shape: image float32 `(N, *size, channels)`, 0..255 (RGB, or grey for one channel), twice.

        Args:
            size: height and width, where the network takes one only.
        """
        import keras

        image = keras.Input((*size, self.channels), name="image", dtype="float32")
        x = keras.ops.flip(image, axis=-1) if self.order == "BGR" else image
        scale = 1.0 / np.asarray(self.std)
        offset = -scale * np.asarray(self.mean)
        return image, keras.layers.Rescaling(scale.tolist(), offset.tolist(), name="normalised")(x)


@settings
class Labelled(ImageTask):
    """A task on single images whose answers are labels with names.

    Attributes:
        names: class names in label order; may be empty.
    """

    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.names and len(self.names) != self.labels():
            raise ValueError(f"{len(self.names)} names for {self.labels()} classes")

    @abstractmethod
    def labels(self) -> int:
        """Return how many labels there are."""

    def class_names(self) -> tuple[str, ...]:
        """Return a name for every label."""
        return self.names or tuple(f"class {label}" for label in range(self.labels()))


def tile_for(image: np.ndarray, wanted: int | None) -> int | None:
    """Return the side of the tiles in which an image is predicted; None for the whole image at once.

    Args:
        image: uint8 `(H, W, 3)`.
        wanted: the side that the user or the recipe says, or None.
    """
    height, width = image.shape[:2]
    tile = TILE if wanted is None and height * width > WHOLE else wanted
    return None if tile is None or max(height, width) <= tile else tile


def grey(image: np.ndarray) -> np.ndarray:
    """Return the luma of an RGB image by ITU-R BT.601: `(H, W, 3)` -> float32 `(H, W, 1)`."""
    return (image @ np.asarray((0.299, 0.587, 0.114), "float32"))[..., None]


def activated(logits: np.ndarray) -> np.ndarray:
    """Return probabilities: a sigmoid of one logit, a softmax of several.

    Shape: `(..., K)` -> float32 `(..., K)`.
    """
    logits = logits.astype("float32")
    if logits.shape[-1] == 1:
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponent / exponent.sum(axis=-1, keepdims=True)

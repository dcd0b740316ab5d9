"""FCN-32s, 16s and 8s (Long, Shelhamer and Darrell 2015) on VGG16."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras

CAFFE = {"order": "BGR", "mean": (104.00699, 116.66877, 122.67892), "std": (1.0,)}
"""What the published networks, trained in Caffe, take: BGR, 0..255, less VGG's mean."""


@settings
class FCN(Segmentation):
    """A fully convolutional network.

    Attributes:
        at_stride: 32, 16 or 8, the finest score map that is used.
        width: factor on every channel count of VGG16; 1 is the paper's.
        fusion: score maps are added (the paper), or concatenated and mixed by a 1x1 convolution.
        upsampling: fixed bilinear kernels, or learned ones that start bilinear.
        dropout: after the two fully connected layers turned convolutions.
    """

    at_stride: Literal[8, 16, 32] = 8
    width: Annotated[float, Field(gt=0)] = 1.0
    fusion: Literal["add", "concat"] = "add"
    upsampling: Literal["fixed", "learned"] = "fixed"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5

    def build(self) -> "keras.Model":
        from kerazoo.families.fcn.model import fcn

        return fcn(
            channels=self.channels,
            classes=self.classes,
            stride=self.at_stride,
            width=self.width,
            fusion=self.fusion,
            upsampling=self.upsampling,
            dropout=self.dropout,
        )

    def stride(self) -> int:
        return 32

    def for_checkpoint(self, arrays: dict[str, np.ndarray], layout: str | None = None) -> Self:
        from kerazoo.checkpoints.mapping import recognise
        from kerazoo.families.fcn.importer import LAYOUTS

        _, found = recognise(LAYOUTS, arrays, layout)
        stride = {"at_stride": found.pop("stride"), "fusion": "add"}
        return self.adopting(CAFFE | found | stride)

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        from kerazoo.families.fcn.importer import convert

        return convert(arrays, self.upsampling)

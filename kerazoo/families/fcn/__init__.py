"""FCN-32s, 16s and 8s (Long, Shelhamer and Darrell 2015) on VGG16."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras


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

    importer: ClassVar[str | None] = "kerazoo.families.fcn.importer"

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

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        from kerazoo.families.fcn.importer import convert

        return convert(arrays, self.upsampling)

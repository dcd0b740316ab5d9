"""Residual networks (He et al. 2015, 2016): ResNet-18 to 152."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from kerazoo.ordering import Ordering
from kerazoo.settings import settings
from kerazoo.tasks.classification import Classification

if TYPE_CHECKING:
    import keras


@settings
class ResNet(Classification):
    """ResNet for images.

    Attributes:
        depth: number of weighted layers.
        width: channels of the stem.
        ordering: of a residual unit's layers, by He et al. 2016, figure 4.
        stride_on: the convolution of a bottleneck that has the stride.
        bias: of the convolutions.
        epsilon: of the batch normalisations.
    """

    importer: ClassVar[str | None] = "kerazoo.families.resnet.importer"

    depth: Literal[18, 34, 50, 101, 152] = 50
    width: Annotated[int, Field(ge=1)] = 64
    ordering: Ordering = "original"
    stride_on: Literal["3x3", "1x1"] = "3x3"
    bias: bool = False
    epsilon: Annotated[float, Field(gt=0)] = 1e-5

    def build(self) -> "keras.Model":
        from kerazoo.families.resnet.model import resnet

        return resnet(
            depth=self.depth,
            channels=self.channels,
            classes=self.classes,
            width=self.width,
            ordering=self.ordering,
            stride_on=self.stride_on,
            bias=self.bias,
            epsilon=self.epsilon,
        )

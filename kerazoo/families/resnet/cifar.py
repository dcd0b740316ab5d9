"""The small residual networks of He et al. 2015, section 4.2, and 2016, for CIFAR."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kerazoo.ordering import Ordering
from kerazoo.settings import settings
from kerazoo.tasks.classification import Classification

if TYPE_CHECKING:
    import keras


@settings
class ResNetCifar(Classification):
    """ResNet for images of 32 x 32 pixels.

    Attributes:
        depth: number of weighted layers; 164 and 1001 are of bottlenecks.
        width: inner channels of the first of three stages.
        ordering: see `ResNet`.
    """

    depth: Literal[8, 20, 32, 44, 56, 110, 164, 1001] = 20
    width: Annotated[int, Field(ge=1)] = 16
    ordering: Ordering = "original"
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (32, 32)
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 1.0

    def build(self) -> "keras.Model":
        from kerazoo.families.resnet.model import resnet_cifar

        return resnet_cifar(
            depth=self.depth,
            channels=self.channels,
            classes=self.classes,
            width=self.width,
            ordering=self.ordering,
        )

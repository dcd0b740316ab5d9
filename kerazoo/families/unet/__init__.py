"""U-Net (Ronneberger, Fischer and Brox 2015), as the paper has it and as it is commonly used."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kerazoo.settings import settings
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras


@settings
class UNet(Segmentation):
    """U-Net.

    Attributes:
        filters: channels per level, from full resolution down.
        padding: "valid" as in the paper (a margin of context around every labelled
            window), or "same".
        norm: batch normalisation after every convolution.
        up: transposed convolution, or bilinear and a convolution.
        dropout: at the end of the contracting path.
    """

    filters: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)] = (
        64,
        128,
        256,
        512,
        1024,
    )
    padding: Literal["same", "valid"] = "same"
    norm: bool = False
    up: Literal["transposed", "bilinear"] = "transposed"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5

    def build(self) -> "keras.Model":
        from kerazoo.families.unet.model import unet

        return unet(
            channels=self.channels,
            classes=self.classes,
            filters=self.filters,
            padding=self.padding,
            norm=self.norm,
            up=self.up,
            dropout=self.dropout,
        )

    def stride(self) -> int:
        return 2 ** (len(self.filters) - 1)

    def context(self) -> int:
        from kerazoo.families.unet.geometry import valid_margin

        return valid_margin(len(self.filters)) if self.padding == "valid" else 0

    def admissible(self, size: int) -> int:
        from kerazoo.families.unet.geometry import valid_size

        return valid_size(size, len(self.filters)) if self.padding == "valid" else size

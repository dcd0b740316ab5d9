"""U-Net (Ronneberger, Fischer and Brox 2015), as the paper has it and as it is commonly used."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from kerazoo.families.encoders import EncoderDecoder
from kerazoo.settings import settings

if TYPE_CHECKING:
    import keras


@settings
class UNet(EncoderDecoder):
    """U-Net.

    Attributes:
        filters: channels per level, from full resolution down; with an encoder, of the expanding
            path.
        padding: "valid" as in the paper (a margin of context around every labelled
            window), or "same".
        up: transposed convolution, bilinear and a convolution, or nearest neighbour.
        dropout: at the end of the contracting path.
    """

    importer: ClassVar[str | None] = "kerazoo.families.unet.importer"

    filters: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)] = (
        64,
        128,
        256,
        512,
        1024,
    )
    padding: Literal["same", "valid"] = "same"
    up: Literal["transposed", "bilinear", "nearest"] = "transposed"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder is not None and self.padding == "valid":
            raise ValueError("an encoder needs same padding")

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
            encoder=self.encoder and self.encoder.build(self.channels),
        )

    def context(self) -> int:
        from kerazoo.families.unet.geometry import valid_margin

        return valid_margin(len(self.filters)) if self.padding == "valid" else 0

    def admissible(self, size: int) -> int:
        from kerazoo.families.unet.geometry import valid_size

        return valid_size(size, len(self.filters)) if self.padding == "valid" else size

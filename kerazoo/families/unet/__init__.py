"""U-Net (Ronneberger, Fischer and Brox 2015), as the paper has it and as it is commonly used."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.families.encoders import LEVELS, Encoder
from kerazoo.settings import settings
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras


@settings
class UNet(Segmentation):
    """U-Net.

    Attributes:
        filters: channels per level, from full resolution down; with an encoder, of the expanding
            path.
        padding: "valid" as in the paper (a margin of context around every labelled
            window), or "same".
        norm: batch normalisation after every convolution.
        up: transposed convolution, bilinear and a convolution, or nearest neighbour.
        dropout: at the end of the contracting path.
        encoder: takes the place of the contracting path.
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
    norm: bool = False
    up: Literal["transposed", "bilinear", "nearest"] = "transposed"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    encoder: Encoder | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder is not None and (len(self.filters) != LEVELS or self.padding == "valid"):
            raise ValueError(f"an encoder needs {LEVELS} filters and same padding")

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

    def weight_settings(self) -> dict[str, Any]:
        return super().weight_settings() | {"encoder": self.encoder and self.encoder.weight_settings()}

    def stride(self) -> int:
        return 2 ** (len(self.filters) - (self.encoder is None))

    def context(self) -> int:
        from kerazoo.families.unet.geometry import valid_margin

        return valid_margin(len(self.filters)) if self.padding == "valid" else 0

    def admissible(self, size: int) -> int:
        from kerazoo.families.unet.geometry import valid_size

        return valid_size(size, len(self.filters)) if self.padding == "valid" else size

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return the whole network's, or, for a classifier's checkpoint, the encoder's."""
        from kerazoo.checkpoints.mapping import fits
        from kerazoo.families.unet.importer import LAYOUTS

        if self.encoder is None or fits(LAYOUTS, arrays):
            return super().start(arrays)
        return self, self.encoder.convert(arrays)

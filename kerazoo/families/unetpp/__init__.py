"""UNet++ (Zhou et al. 2018, 2020): nested dense skips, deep supervision, pruning."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.families.encoders import LEVELS, Encoder
from kerazoo.settings import settings
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras


@settings
class UNetPlusPlus(Segmentation):
    """UNet++.

    Attributes:
        filters: channels per level, from full resolution down; with an encoder, of the last node
            of every level.
        deep_supervision: a head per column instead of one on the last.
        norm: batch normalisation after every convolution.
        up: how a deeper node is brought to the resolution of its neighbour.
        skips_first: the order of concatenation is [skips, up] instead of [up, skips].
        dropout: after every convolution.
        mode: what predicts: "accurate" averages the heads, "fast" is one head with the
            nodes it does not need pruned away.
        level: the head of the fast mode, 1 .. number of levels - 1; None is the last.
        encoder: takes the place of the first column.
    """

    importer: ClassVar[str | None] = "kerazoo.families.unetpp.importer"

    filters: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)] = (32, 64, 128, 256, 512)
    deep_supervision: bool = True
    norm: bool = False
    up: Literal["transposed", "bilinear", "bilinear_align_corners", "nearest"] = "transposed"
    skips_first: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mode: Literal["accurate", "fast"] = "accurate"
    level: Annotated[int, Field(ge=1)] | None = None
    encoder: Encoder | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder is not None and len(self.filters) != LEVELS:
            raise ValueError(f"an encoder needs {LEVELS} filters")
        last = len(self.filters) - 1
        if self.level is not None and self.level > last:
            raise ValueError(f"level is {self.level}, the last is {last}")
        if self.level not in (None, last) and not self.deep_supervision:
            raise ValueError("without deep supervision only the last level has a head")

    def build(self) -> "keras.Model":
        from kerazoo.families.unetpp.model import unetpp

        return unetpp(
            channels=self.channels,
            classes=self.classes,
            filters=self.filters,
            deep_supervision=self.deep_supervision,
            norm=self.norm,
            up=self.up,
            skips_first=self.skips_first,
            dropout=self.dropout,
            encoder=self.encoder and self.encoder.build(self.channels),
        )

    def weight_settings(self) -> dict[str, Any]:
        return super().weight_settings() | {"encoder": self.encoder and self.encoder.weight_settings()}

    def deploy(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.unetpp.model import prune

        return network if self.mode == "accurate" else prune(network, self.level or len(self.filters) - 1)

    def stride(self) -> int:
        return 2 ** (len(self.filters) - (self.encoder is None))

    def start(self, arrays: dict[str, np.ndarray]) -> tuple[Self, dict[str, np.ndarray]]:
        """Return the whole network's, or, for a classifier's checkpoint, the encoder's."""
        from kerazoo.checkpoints.mapping import fits
        from kerazoo.families.unetpp.importer import LAYOUTS

        if self.encoder is None or fits(LAYOUTS, arrays):
            return super().start(arrays)
        return self, self.encoder.convert(arrays)

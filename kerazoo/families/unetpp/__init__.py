"""UNet++ (Zhou et al. 2018, 2020): nested dense skips, deep supervision, pruning."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from kerazoo.families.encoders import EncoderDecoder
from kerazoo.settings import settings

if TYPE_CHECKING:
    import keras


@settings
class UNetPlusPlus(EncoderDecoder):
    """UNet++.

    Attributes:
        filters: channels per level, from full resolution down; with an encoder, of the last node
            of every level.
        deep_supervision: a head per column instead of one on the last.
        up: how a deeper node is brought to the resolution of its neighbour.
        skips_first: the order of concatenation is [skips, up] instead of [up, skips].
        dropout: after every convolution.
        mode: what predicts: "accurate" averages the heads, "fast" is one head with the
            nodes it does not need pruned away.
        level: the head of the fast mode, 1 .. number of levels - 1; None is the last.
    """

    importer: ClassVar[str | None] = "kerazoo.families.unetpp.importer"

    filters: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)] = (32, 64, 128, 256, 512)
    deep_supervision: bool = True
    up: Literal["transposed", "bilinear", "bilinear_align_corners", "nearest"] = "transposed"
    skips_first: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mode: Literal["accurate", "fast"] = "accurate"
    level: Annotated[int, Field(ge=1)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
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

    def deploy(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.families.unetpp.model import prune

        return network if self.mode == "accurate" else prune(network, self.level or len(self.filters) - 1)

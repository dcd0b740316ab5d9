"""HRNet for classification."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field

from kerazoo.families.hrnet.configuration import Body
from kerazoo.settings import fields, settings
from kerazoo.tasks.classification import Classification

if TYPE_CHECKING:
    import keras

EVALUATED = {"size": (224, 224), "crop_pct": 0.875, "interpolation": "bilinear"}
"""How images were cut when the published weights were evaluated."""


@settings
class HRNetClassifier(Classification):
    """HRNet C: every branch widened, then added from the highest resolution down.

    Attributes:
        body: depth and width.
        fuse: how branches are brought to one size; a property of published weights.
        head_width: inner width of the highest branch's last unit; the features are 64 times that.
        head_bias: of the head's normalised convolutions.
    """

    body: Body = Body()
    fuse: Literal["nearest", "bilinear"] = "nearest"
    head_width: Annotated[int, Field(ge=1)] = 32
    head_bias: bool = True

    def build(self) -> "keras.Model":
        from kerazoo.families.hrnet.model import hrnet

        return hrnet(
            head="classification",
            fuse=self.fuse,
            classes=self.classes,
            channels=self.channels,
            head_width=self.head_width,
            head_bias=self.head_bias,
            **fields(self.body),
        )

    def for_checkpoint(self, arrays: dict[str, np.ndarray], layout: str | None = None) -> Self:
        from kerazoo.families.hrnet.importer import CLASSIFICATION, family_settings

        return self.adopting(family_settings(CLASSIFICATION, arrays, layout) | EVALUATED)

    def convert(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        from kerazoo.families.hrnet.importer import convert

        return convert(arrays)

"""HRNet for classification."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

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

    importer: ClassVar[str | None] = "kerazoo.families.hrnet.importer"
    layouts: ClassVar[tuple[str, ...]] = ("classification",)

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

    def adopting(self, published: dict[str, Any]) -> Self:
        from kerazoo.families.hrnet.importer import family_settings

        return super().adopting(family_settings(published) | EVALUATED)

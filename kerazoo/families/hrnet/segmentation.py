"""HRNet for segmentation."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from kerazoo.families.hrnet.configuration import Body
from kerazoo.settings import fields, settings
from kerazoo.tasks.segmentation import Segmentation

if TYPE_CHECKING:
    import keras


@settings
class HRNetSegmentation(Segmentation):
    """HRNet V2: all resolutions enlarged and mixed, logits enlarged from stride 4.

    Attributes:
        body: depth and width.
        fuse, align_corners: how branches are brought to one size; a property of published weights.
        head_bias: of the head's normalised convolution.
    """

    importer: ClassVar[str | None] = "kerazoo.families.hrnet.importer"
    layouts: ClassVar[tuple[str, ...]] = (
        "segmentation-align-corners-false",
        "segmentation-align-corners-true",
        "mmsegmentation",
    )

    body: Body = Body()
    fuse: Literal["nearest", "bilinear"] = "bilinear"
    align_corners: bool = False
    head_bias: bool = True

    def build(self) -> "keras.Model":
        from kerazoo.families.hrnet.model import hrnet

        return hrnet(
            head="segmentation",
            fuse=self.fuse,
            classes=self.classes,
            channels=self.channels,
            align_corners=self.align_corners,
            head_bias=self.head_bias,
            full_size=True,
            **fields(self.body),
        )

    def stride(self) -> int:
        return 32

    def adopting(self, published: dict[str, Any]) -> Self:
        from kerazoo.families.hrnet.importer import family_settings

        return super().adopting(family_settings(published))

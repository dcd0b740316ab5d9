"""HRNet for facial landmarks."""

from typing import TYPE_CHECKING, ClassVar, Literal

from kerazoo.families.hrnet.pose import DEVIATION, HRNetPose, Positive, Side
from kerazoo.settings import fields, settings
from kerazoo.structures.skeleton import FACE68, Skeleton

if TYPE_CHECKING:
    import keras


@settings
class HRNetFace(HRNetPose):
    """HRNet V2: a heat map for every landmark of the one face in a box, from all resolutions.

    Cells of the published networks stand for their middles: their code counts cells from 1 and adds a half
    before it multiplies by 4, which in coordinates of pixel centres is 4 g + 1.5 for cell g from 0.

    Attributes:
        align_corners: how branches are brought to one size; a property of published weights.
        head_bias: of the head's normalised convolution.
    """

    skeleton: Skeleton = FACE68
    fuse: Literal["nearest", "bilinear"] = "bilinear"
    align_corners: bool = False
    head_bias: bool = True
    size: tuple[Side, Side] = (256, 256)
    sigma: Positive = 1.5

    published: ClassVar[dict[str, str]] = {"target": "rounded", "cells": "centre", "decode_by": "quarter"}
    layouts: ClassVar[tuple[str, ...]] = ("face",)
    branches: ClassVar[int] = 4

    def build(self) -> "keras.Model":
        import keras

        from kerazoo.families.hrnet.model import hrnet

        network = hrnet(
            head="segmentation",
            fuse=self.fuse,
            classes=len(self.skeleton.points),
            channels=self.channels,
            align_corners=self.align_corners,
            head_bias=self.head_bias,
            std=DEVIATION,
            **fields(self.body),
        )
        return keras.Model(network.input, {"heatmaps": network.output["logits"]}, name="hrnet")

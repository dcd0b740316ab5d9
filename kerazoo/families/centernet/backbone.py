"""What CenterNet's maps are made by."""

from typing import Literal

Backbone = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet18_dcn",
    "resnet34_dcn",
    "resnet50_dcn",
    "resnet101_dcn",
    "dla34",
    "dla34_dcn",
    "hourglass104",
]
"""`_dcn` is with deformable convolutions."""


def stride(backbone: Backbone) -> int:
    """Return what divides the sides of the network's input."""
    return 128 if backbone == "hourglass104" else 32

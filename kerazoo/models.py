"""Every network by name, for those who want only that: `kerazoo.models.unetpp(classes=3)`.

The names are loaded on first use, so importing this module imports no backend.
"""

import importlib
from typing import TYPE_CHECKING, Any

from kerazoo.backend import set_backend

if TYPE_CHECKING:
    from kerazoo.families.centernet.model import centernet
    from kerazoo.families.conv4.model import conv4
    from kerazoo.families.cyclegan.model import cyclegan_generator, patch_discriminator
    from kerazoo.families.fcn.model import fcn
    from kerazoo.families.hrnet.model import hrnet, hrnet_features
    from kerazoo.families.openpose.model import (
        lightweight_openpose,
        mobilenet_v2_openpose,
        openpose,
        residual_openpose,
    )
    from kerazoo.families.resnet.model import resnet, resnet_cifar, resnet_features
    from kerazoo.families.siamese.model import siamese, siamese_koch
    from kerazoo.families.unet.model import unet
    from kerazoo.families.unetpp.model import unetpp
    from kerazoo.families.yolov4.model import csp_darknet_features, yolov4, yolov4_tiny

__all__ = [
    "centernet",
    "conv4",
    "csp_darknet_features",
    "cyclegan_generator",
    "fcn",
    "hrnet",
    "hrnet_features",
    "lightweight_openpose",
    "mobilenet_v2_openpose",
    "openpose",
    "patch_discriminator",
    "residual_openpose",
    "resnet",
    "resnet_cifar",
    "resnet_features",
    "siamese",
    "siamese_koch",
    "unet",
    "unetpp",
    "yolov4",
    "yolov4_tiny",
]

_FAMILIES = {
    "csp_darknet_features": "yolov4",
    "lightweight_openpose": "openpose",
    "mobilenet_v2_openpose": "openpose",
    "patch_discriminator": "cyclegan",
    "residual_openpose": "openpose",
}
"""The families of networks that are not called by theirs."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    set_backend()
    family = _FAMILIES.get(name, name.partition("_")[0])
    return getattr(importlib.import_module(f"kerazoo.families.{family}.model"), name)


def __dir__() -> list[str]:
    return __all__

"""Published weights of FCN."""

from typing import Any, Literal

import numpy as np

from kerazoo.checkpoints.mapping import Arrays, Table, conv, network_in, shape_of, translate
from kerazoo.errors import UserError
from kerazoo.families.fcn.model import SKIPS, VGG16
from kerazoo.layers import bilinear_kernel

CAFFE = {"order": "BGR", "mean": (104.00699, 116.66877, 122.67892), "std": (1.0,)}
"""What the published networks, trained in Caffe, take: BGR, 0..255, less VGG's mean."""

ANCHOR = "score_fr.weight"


def convert(arrays: Arrays, upsampling: Literal["fixed", "learned"] = "fixed") -> Arrays:
    """Return `{variable path: array}` for a checkpoint of wkentaro/pytorch-fcn: FCN-32s, 16s or 8s.

    It fits `fcn(stride=..., upsampling=upsampling)`. The "at once" variant of 8s has the same keys
    as 8s but scales its skips, so what is made of it is not what it was.

    Args:
        arrays: the state dict.
        upsampling: of the network; with "fixed" the transposed kernels must be the bilinear ones.

    Raises:
        LookupError: no such network.
        UserError: keys that are missing or unexpected, or a kernel that is not bilinear.
    """
    arrays = network_in(arrays, ANCHOR)
    upscores = _upscores(_stride(arrays))
    table: Table = {}
    for name in _convolutions(_stride(arrays)):
        table |= conv(name, name)
    if upsampling == "learned":
        for theirs, ours in upscores.items():
            table |= conv(theirs, ours, bias=False)
        return translate(arrays, table)
    learned = [key for key in upscores if not _is_bilinear(arrays.get(f"{key}.weight"))]
    if learned:
        message = f"the checkpoint's {', '.join(learned)} are not bilinear interpolation"
        raise UserError(message, "set upsampling to learned")
    return translate(arrays, table, ignored=[f"{key}.weight" for key in upscores])


def settings_for(arrays: Arrays) -> dict[str, Any]:
    """Return the settings of the family that such a checkpoint was made with; raises as `convert`."""
    convert(arrays, "learned")
    arrays = network_in(arrays, ANCHOR)
    stride = _stride(arrays)
    width, channels, _, _ = shape_of(arrays, "conv1_1.weight", 4)
    fixed = all(_is_bilinear(arrays[f"{key}.weight"]) for key in _upscores(stride))
    return CAFFE | {
        "channels": channels,
        "classes": shape_of(arrays, ANCHOR, 4)[0],
        "at_stride": stride,
        "fusion": "add",
        "width": width / VGG16[0][0],
        "upsampling": "fixed" if fixed else "learned",
    }


def _stride(arrays: Arrays) -> int:
    return next((stride for stride in (8, 16) if f"upscore{stride}.weight" in arrays), 32)


def _convolutions(stride: int) -> list[str]:
    body = [
        f"conv{level}_{step}" for level, (_, count) in enumerate(VGG16, 1) for step in range(1, count + 1)
    ]
    return [*body, "fc6", "fc7", "score_fr", *(f"score_{pool}" for at, _, pool, _ in SKIPS if stride <= at)]


def _upscores(stride: int) -> dict[str, str]:
    """Return the transposed convolutions, `{name in the checkpoint: name of our layer}`."""
    inner = {upscore: upscore for at, upscore, _, _ in SKIPS if stride <= at}
    return inner | {"upscore" if stride == 32 else f"upscore{stride}": f"upscore{stride}"}


def _is_bilinear(kernel: np.ndarray | None) -> bool:
    if kernel is None:
        return True  # not stored: nothing that could differ
    if kernel.ndim != 4 or len({kernel.shape[0], kernel.shape[1]}) != 1 or kernel.shape[-1] > 64:
        return False
    expected = bilinear_kernel(kernel.shape[-1], kernel.shape[0]).transpose(2, 3, 0, 1)
    return kernel.shape == expected.shape and np.allclose(kernel, expected, rtol=0, atol=1e-6)


LAYOUTS = {"pytorch-fcn": settings_for}
"""What the importer reads."""

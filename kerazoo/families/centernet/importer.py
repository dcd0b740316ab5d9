"""Published weights of CenterNet (xingyizhou/CenterNet, `ctdet_*`), and the classifiers they begin from."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from kerazoo.checkpoints.mapping import (
    Arrays,
    Table,
    batch_norm,
    conv,
    depthwise,
    network_in,
    recognise,
    shape_of,
    translate,
)
from kerazoo.errors import UserError
from kerazoo.families.centernet.backbone import Backbone
from kerazoo.families.centernet.dla import DEPTHS
from kerazoo.families.centernet.hourglass import LOWEST, STACKS, UNITS, WIDTHS
from kerazoo.families.encoders import Encoder
from kerazoo.families.resnet.model import BLOCKS

COCO = {
    "order": "BGR",
    "mean": (104.01362, 114.03422, 119.91659),
    "std": (73.60276, 69.89082, 70.91508),
}
"""The normalisation of the published networks, in their order, 0..255."""

HEADS = {"hm": "heatmap", "wh": "size", "reg": "offset"}

UNREAD = re.compile(r"(base\.)?(fc|level[34]\.project)\..*")
"""What DLA's checkpoints hold beside: ImageNet's classifier, and convolutions whose outputs nothing reads."""

BODY = re.compile(r"(conv1|bn1|layer\d)\..*")
"""What ResNets' checkpoints share with torchvision's."""


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` of `centernet` for a checkpoint in one of `LAYOUTS`.

    Raises:
        UserError: another layout; keys that are missing or unexpected, such as those of poses.
    """
    layout, arguments = recognise(LAYOUTS, arrays)
    arrays = network_in(arrays, ANCHORS[layout])
    if layout == "hourglass":
        return translate(arrays, _hourglass())
    deformable = arguments["backbone"].endswith("_dcn")
    if layout == "dla":
        used = {key: array for key, array in arrays.items() if not UNREAD.fullmatch(key)}
        return translate(used, _trees("base.") | _aggregations(deformable) | _heads())
    body = {key: array for key, array in arrays.items() if BODY.fullmatch(key)}
    rest = {key: array for key, array in arrays.items() if key not in body}
    return convert_body(body, arguments["backbone"]) | translate(rest, _enlarging(deformable) | _heads())


def convert_body(arrays: Arrays, backbone: Backbone) -> Arrays:
    """Return `{variable path: array}` of the part of `centernet` that a classifier has, too.

    Args:
        arrays: of a ResNet (torchvision's, timm's, OpenMMLab's), or of DLA-34 (its authors', timm's).
        backbone: of the network.

    Raises:
        UserError: another network; keys that are missing or unexpected; an hourglass classifies nothing.
    """
    if backbone.startswith("resnet"):
        return Encoder(name=backbone.removesuffix("_dcn")).convert(arrays)
    if backbone == "hourglass104":
        raise UserError("there is no classifier that an hourglass could start from", "train it from nothing")
    arrays = network_in(arrays, ANCHORS["dla"].removeprefix("base."))
    used = {key: array for key, array in arrays.items() if not UNREAD.fullmatch(key)}
    return translate(used, _trees(""))


# --- recognition -------------------------------------------------------------------------

ANCHORS = {
    "resnet": "deconv_layers.0.weight",
    "dla": "base.base_layer.0.weight",
    "hourglass": "kps.0.up1.0.conv1.weight",
}
"""Keys that only such a network has."""


def resnet(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for `res_18` .. `res_101` and `resdcn_18` .. `resdcn_101`.

    Raises:
        LookupError: other keys.
    """
    arrays = network_in(arrays, ANCHORS["resnet"])
    units = tuple(len(_numbers(arrays, f"layer{stage}.")) for stage in (1, 2, 3, 4))
    bottleneck = "layer1.0.conv3.weight" in arrays
    depths: dict[Any, int] = {(blocks, depth >= 50): depth for depth, blocks in BLOCKS.items()}
    deformable = "deconv_layers.0.conv_offset_mask.weight" in arrays
    backbone = f"resnet{depths[units, bottleneck]}" + ("_dcn" if deformable else "")
    if backbone not in get_args(Backbone):
        raise LookupError(backbone)
    width, channels, _, _ = shape_of(arrays, "conv1.weight", 4)
    return _settings(arrays, backbone, width, channels, "hm.0", "hm.2")


def dla(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for `dla_34` and `dlav0_34`; raises LookupError for other keys."""
    arrays = network_in(arrays, ANCHORS["dla"])
    backbone = "dla34_dcn" if "ida_up.proj_1.conv.conv_offset_mask.weight" in arrays else "dla34"
    quarter, channels, _, _ = shape_of(arrays, ANCHORS["dla"], 4)
    return _settings(arrays, backbone, 4 * quarter, channels, "hm.0", "hm.2")


def hourglass(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for `hourglass`; raises LookupError for other keys."""
    arrays = network_in(arrays, ANCHORS["hourglass"])
    double, channels, _, _ = shape_of(arrays, "pre.0.conv.weight", 4)
    return _settings(arrays, "hourglass104", double // 2, channels, "hm.1.0.conv", "hm.1.1")


def _settings(
    arrays: Arrays, backbone: str, width: int, channels: int, hidden: str, last: str
) -> dict[str, Any]:
    return COCO | {
        "backbone": backbone,
        "classes": shape_of(arrays, f"{last}.weight", 4)[0],
        "width": width,
        "head_filters": shape_of(arrays, f"{hidden}.weight", 4)[0],
        "channels": channels,
    }


LAYOUTS = {"resnet": resnet, "dla": dla, "hourglass": hourglass}
"""What the importer reads."""


def _numbers(arrays: Arrays, prefix: str) -> set[str]:
    return {key.removeprefix(prefix).split(".")[0] for key in arrays if key.startswith(prefix)}


# --- tables ------------------------------------------------------------------------------


def _pair(convolution: str, norm: str, target: str) -> Table:
    return conv(convolution, target, bias=False) | batch_norm(norm, f"{target}_bn")


def _deformable(source: str, norm: str, target: str) -> Table:
    offset = conv(f"{source}.conv_offset_mask", f"{target}/offset")
    return conv(source, target) | offset | batch_norm(norm, f"{target}_bn")


def _heads() -> Table:
    table: Table = {}
    for theirs, ours in HEADS.items():
        table |= conv(f"{theirs}.0", f"{ours}_conv") | conv(f"{theirs}.2", ours)
    return table


def _enlarging(deformable: bool) -> Table:
    """The convolutions on a ResNet, counted together with their normalisations and activations."""
    table: Table = {}
    for step in range(3):
        place, ours = step * (6 if deformable else 3), f"up{step + 1}"
        if deformable:
            table |= _deformable(f"deconv_layers.{place}", f"deconv_layers.{place + 1}", f"{ours}_conv")
            place += 3
        table |= _pair(f"deconv_layers.{place}", f"deconv_layers.{place + 1}", ours)
    return table


def _trees(prefix: str) -> Table:
    table: Table = {}
    for name in ("base_layer", "level0", "level1"):
        table |= _pair(f"{prefix}{name}.0", f"{prefix}{name}.1", name)
    for level, depth in enumerate(DEPTHS, 2):
        table |= _tree(f"{prefix}level{level}", f"level{level}", depth, projected=True)
    return table


def _tree(source: str, target: str, depth: int, projected: bool) -> Table:
    if depth > 1:
        first = _tree(f"{source}.tree1", f"{target}_tree1", depth - 1, projected)
        return first | _tree(f"{source}.tree2", f"{target}_tree2", depth - 1, projected=False)
    table = _pair(f"{source}.root.conv", f"{source}.root.bn", f"{target}_root")
    if projected:
        table |= _pair(f"{source}.project.0", f"{source}.project.1", f"{target}_project")
    for half in ("tree1", "tree2"):
        for step in (1, 2):
            theirs = f"{source}.{half}"
            table |= _pair(f"{theirs}.conv{step}", f"{theirs}.bn{step}", f"{target}_{half}_conv{step}")
    return table


def _aggregations(deformable: bool) -> Table:
    steps = {f"dla_up.ida_{i}": i + 1 for i in range(3)} | ({"ida_up": 2} if deformable else {})
    table: Table = {}
    for theirs, count in steps.items():
        ours = theirs.replace(".ida_", "_ida")
        for step in range(1, count + 1):
            table |= depthwise(f"{theirs}.up_{step}", f"{ours}_up{step}")
            for part in ("proj", "node"):
                source, target = f"{theirs}.{part}_{step}", f"{ours}_{part}{step}"
                if deformable:
                    table |= _deformable(f"{source}.conv", f"{source}.actf.0", target)
                else:
                    table |= _pair(f"{source}.0", f"{source}.1", target)
    return table


def _hourglass() -> Table:
    table = _pair("pre.0.conv", "pre.0.bn", "stem_conv") | _unit("pre.1", "stem_unit", True)
    for stack in range(STACKS):
        ours = f"stack{stack + 1}"
        for source, target, changes in _units(f"kps.{stack}", ours, WIDTHS):
            table |= _unit(source, target, changes)
        table |= _pair(f"cnvs.{stack}.conv", f"cnvs.{stack}.bn", f"{ours}_out")
        if stack < STACKS - 1:
            table |= _pair(f"inters_.{stack}.0", f"inters_.{stack}.1", f"{ours}_before")
            table |= _pair(f"cnvs_.{stack}.0", f"cnvs_.{stack}.1", f"{ours}_after")
            table |= _unit(f"inters.{stack}", f"{ours}_unit", False)
        for theirs, head in HEADS.items():
            name = f"{ours}_{head}" if stack < STACKS - 1 else head
            table |= conv(f"{theirs}.{stack}.0.conv", f"{name}_conv") | conv(f"{theirs}.{stack}.1", name)
    return table


def _units(source: str, target: str, widths: tuple[int, ...]) -> Iterator[tuple[str, str, bool]]:
    """Yield the residual units of an hourglass: their name, ours, and whether the shape changes in them."""
    here, below, *_ = widths
    parts = {"up1": UNITS, "low1": UNITS, "low3": UNITS} | ({} if len(widths) > 2 else {"low2": LOWEST})
    for part, count in parts.items():
        for unit in range(count):
            changes = (part, unit) == ("low1", 0) or ((part, unit) == ("low3", count - 1) and here != below)
            yield f"{source}.{part}.{unit}", f"{target}_{part}_unit{unit}", changes
    if len(widths) > 2:
        yield from _units(f"{source}.low2", f"{target}_low2", widths[1:])


def _unit(source: str, target: str, changes: bool) -> Table:
    table: Table = {}
    for step in (1, 2):
        table |= _pair(f"{source}.conv{step}", f"{source}.bn{step}", f"{target}_conv{step}")
    if changes:
        table |= _pair(f"{source}.skip.0", f"{source}.skip.1", f"{target}_shortcut")
    return table

"""Published weights of HRNet.

The official repositories (classification, pose, segmentation, facial landmarks, detection), timm and the
OpenMMLab toolboxes name the body alike. What a file does not say is how it resizes; a layout does.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from kerazoo.checkpoints.mapping import (
    Table,
    batch_norm,
    conv,
    dense,
    fits,
    network_in,
    recognise,
    shape_of,
    translate,
)
from kerazoo.checkpoints.read import Arrays
from kerazoo.errors import UserError
from kerazoo.families.hrnet.configuration import Body
from kerazoo.settings import fields
from kerazoo.structures.skeleton import KNOWN as SKELETONS
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.images import IMAGENET


class Layout(NamedTuple):
    """What is known of a published network before its arrays are looked at.

    Attributes:
        mark: regular expression of a key that only such a checkpoint has.
        head, fuse, align_corners: arguments of `kerazoo.families.hrnet.model.hrnet`.
    """

    mark: str
    head: str
    fuse: str
    align_corners: bool = False


KNOWN = {
    "classification": Layout(r"classifier\.weight", "classification", "nearest"),
    "pose": Layout(r"((keypoint_)?head\.)?final_layer\.weight", "heatmap", "nearest"),
    "segmentation-align-corners-false": Layout(r"last_layer\.3\.weight", "segmentation", "bilinear"),
    "segmentation-align-corners-true": Layout(r"last_layer\.3\.weight", "segmentation", "bilinear", True),
    "mmsegmentation": Layout(r"decode_head\.conv_seg\.weight", "segmentation", "bilinear"),
    "face": Layout(r"head\.3\.weight", "segmentation", "bilinear"),
    "detection": Layout(r"neck\.fpn_convs?\.0(\.conv)?\.weight", "pyramid", "nearest"),
}
RENAMED = {
    r"backbone\.": "",
    r"(keypoint_)?head\.final_layer\.": "final_layer.",
    r"(last_layer|head)\.0\.": "head.conv.",
    r"(last_layer|head)\.1\.": "head.bn.",
    r"(last_layer|head)\.3\.": "head.last.",
    r"decode_head\.convs\.0\.": "head.",
    r"decode_head\.conv_seg\.": "head.last.",
    r"neck\.reduction_conv\.(0|conv)\.": "neck.reduction.",
    r"neck\.fpn_convs?\.(\d)\.(conv\.)?": r"neck.level\1.",
}
"""What publishers call differently, at the start of a key, and its one name here."""

BEHIND_THE_NECK = ("rpn_head.", "roi_head.", "bbox_head.", "mask_head.")
"""Parts of a whole detector, which no network of this family has."""

LAST = {
    "classification": "classifier",
    "heatmap": "final_layer",
    "segmentation": "head.last",
    "pyramid": "neck.level0",
}
"""The layer whose output channels are the `classes` of `hrnet`."""


def family_settings(published: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a family of `kerazoo.families.hrnet` for those of a layout."""
    found = dict(published)
    body = Body(**{name: found.pop(name) for name in fields(Body())})
    return IMAGENET | {name: value for name, value in found.items() if name != "head"} | {"body": body}


def recognised(names: Sequence[str], arrays: Arrays) -> dict[str, Any]:
    """Return what the only fitting of the layouts `names` says; raises as `recognise`."""
    return recognise({name: LAYOUTS[name] for name in names}, arrays)[1]


def settings_for(layout: Layout, arrays: Arrays) -> dict[str, Any] | None:
    """Return the arguments of `hrnet` that a checkpoint was made with, or None if it is of another layout.

    Args:
        layout: from `KNOWN`.
        arrays: `{checkpoint key: array}`.

    Raises:
        LookupError: the body is not HRNet's.
    """
    network = _network(arrays)
    if not any(re.fullmatch(layout.mark, key) for key in network):
        return None
    arrays = _renamed(network)
    arguments = {
        "head": layout.head,
        "fuse": layout.fuse,
        "channels": shape_of(arrays, "conv1.weight", 4)[1],
        "classes": arrays[f"{LAST[layout.head]}.weight"].shape[0],
        "width": arrays["stage2.0.branches.0.0.conv1.weight"].shape[0],
        "blocks": _count(arrays, "stage2.0.branches.0"),
        "modules": tuple(_count(arrays, f"stage{stage}") for stage in (2, 3, 4)),
        "bottlenecks": _count(arrays, "layer1"),
        "bottleneck_width": arrays["layer1.0.conv1.weight"].shape[0],
    }
    if layout.head == "classification":
        arguments["head_width"] = arrays["incre_modules.0.0.conv1.weight"].shape[0]
        arguments["head_bias"] = "final_layer.0.bias" in arrays
    if layout.head == "segmentation":
        arguments["align_corners"] = layout.align_corners
        arguments["head_bias"] = "head.conv.bias" in arrays
    return arguments


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` for a checkpoint of any layout in `KNOWN`.

    It fits the `hrnet` of the arguments that `settings_for` returns.

    Args:
        arrays: the state dict.

    Raises:
        UserError: keys that are missing or unexpected.
    """
    arrays = _renamed(_network(arrays))
    branches = 1 if "final_layer.weight" in arrays else 4
    return translate(arrays, _body(arrays, branches) | _head(arrays))


def convert_body(arrays: Arrays, branches: int = 4) -> Arrays:
    """Return `{variable path: array}` of the body alone, for `hrnet_features` or below another head.

    Args:
        arrays: the state dict of any layout but "pose", whose last module leaves three branches out.
        branches: that the last module is to fuse to; only the highest is what the heat-map head needs.

    Raises:
        LookupError: no HRNet.
        UserError: keys that are missing, or unexpected in the body.
    """
    arrays = _renamed(_network(arrays))
    modules = _count(arrays, "stage4")
    left_out = tuple(f"stage4.{modules - 1}.fuse_layers.{branch}." for branch in range(branches, 4))
    arrays = {key: array for key, array in arrays.items() if not key.startswith(left_out)}
    return translate(arrays, _body(arrays, branches), body=True)


def is_classifier(arrays: Arrays) -> bool:
    """Whether a checkpoint is a classifier's."""
    return fits({name: LAYOUTS[name] for name in CLASSIFICATION}, arrays)


def skeleton_of(count: int, own: Skeleton) -> Skeleton:
    """Return the skeleton of a checkpoint: the family's where it fits, or else a known one.

    Args:
        count: of the points that the checkpoint knows.
        own: of the family.

    Raises:
        UserError: neither has so many points.
    """
    for skeleton in (own, *SKELETONS.values()):
        if len(skeleton.points) == count and not skeleton.between:
            return skeleton
    raise UserError(
        f"the checkpoint has {count} points, the skeleton {len(own.points)}",
        "write a recipe whose family has the skeleton of the checkpoint",
    )


def _network(arrays: Arrays) -> Arrays:
    first = "stage2.0.branches.0.0.conv1.weight"
    return network_in(arrays, f"backbone.{first}", first)


def _renamed(arrays: Arrays) -> Arrays:
    """Return `arrays` under the one name each has here, without what lies behind a detector's neck."""
    renamed = {}
    for key, array in arrays.items():
        for theirs, ours in RENAMED.items():
            if match := re.match(theirs, key):
                key = match.expand(ours) + key[match.end() :]
                break
        if not key.startswith(BEHIND_THE_NECK):
            renamed[key] = array
    return renamed


def _body(arrays: Arrays, branches: int) -> Table:
    table = _pair("conv1", "bn1", "stem_conv1") | _pair("conv2", "bn2", "stem_conv2")
    for unit in range(_count(arrays, "layer1")):
        table |= _unit(arrays, f"layer1.{unit}", f"stage1_unit{unit}", 3)
    table |= _pair("transition1.0.0", "transition1.0.1", "transition1_branch0")
    for stage in (2, 3, 4):
        ours, theirs = f"transition{stage - 1}_branch{stage - 1}", f"transition{stage - 1}.{stage - 1}.0"
        table |= _pair(f"{theirs}.0", f"{theirs}.1", ours)
        modules = _count(arrays, f"stage{stage}")
        for module in range(modules):
            last = (stage, module) == (4, modules - 1)
            table |= _module(arrays, stage, module, targets=branches if last else stage)
    return table


def _module(arrays: Arrays, stage: int, module: int, targets: int) -> Table:
    """The residual units of a module's branches, and what exchanges between these."""
    theirs, ours = f"stage{stage}.{module}", f"stage{stage}_module{module}"
    table: Table = {}
    for b in range(stage):
        for unit in range(_count(arrays, f"{theirs}.branches.{b}")):
            table |= _unit(arrays, f"{theirs}.branches.{b}.{unit}", f"{ours}_branch{b}_unit{unit}", 2)
    for i in range(targets):
        for j in range(stage):
            source, target = f"{theirs}.fuse_layers.{i}.{j}", f"{ours}_fuse{i}_from{j}"
            if j > i:
                table |= _pair(f"{source}.0", f"{source}.1", target)
            for step in range(i - j):
                table |= _pair(f"{source}.{step}.0", f"{source}.{step}.1", f"{target}_conv{step}")
    return table


def _head(arrays: Arrays) -> Table:
    if "classifier.weight" in arrays:
        bias = "final_layer.0.bias" in arrays
        table = _pair("final_layer.0", "final_layer.1", "final", bias) | dense("classifier", "logits")
        for b in range(4):
            table |= _unit(arrays, f"incre_modules.{b}.0", f"widen{b}_unit0", 3)
        for b in range(3):
            table |= _pair(f"downsamp_modules.{b}.0", f"downsamp_modules.{b}.1", f"down{b}", bias)
        return table
    if "final_layer.weight" in arrays:
        return conv("final_layer", "heatmaps")
    if "neck.level0.weight" in arrays:
        table = conv("neck.reduction", "neck_reduction")
        for level in range(5):
            table |= conv(f"neck.level{level}", f"level{level}")
        return table
    bias = "head.conv.bias" in arrays
    return _pair("head.conv", "head.bn", "head_conv", bias) | conv("head.last", "logits")


def _unit(arrays: Arrays, source: str, target: str, convolutions: int) -> Table:
    """A residual unit; with a projection where the checkpoint has one."""
    table: Table = {}
    for step in range(1, convolutions + 1):
        table |= _pair(f"{source}.conv{step}", f"{source}.bn{step}", f"{target}_conv{step}")
    if f"{source}.downsample.0.weight" in arrays:
        table |= _pair(f"{source}.downsample.0", f"{source}.downsample.1", f"{target}_shortcut")
    return table


def _pair(convolution: str, norm: str, target: str, bias: bool = False) -> Table:
    """A convolution and its batch normalisation."""
    return conv(convolution, target, bias=bias) | batch_norm(norm, f"{target}_bn")


def _count(arrays: Arrays, prefix: str) -> int:
    """Return how many numbers follow `prefix`."""
    return len({key[len(prefix) + 1 :].split(".")[0] for key in arrays if key.startswith(f"{prefix}.")})


LAYOUTS = {name: partial(settings_for, layout) for name, layout in KNOWN.items()}
"""What the importer reads, `{layout: function from arrays to the arguments of hrnet, or None}`."""

CLASSIFICATION = ("classification",)

"""Published weights of part affinity fields.

PyTorch ports of the paper's network, Lightweight OpenPose, and the frozen graphs of tf-pose-estimation.
All of them have the channels of `structures.skeleton.COCO18`: points, background; x and y of each limb.
"""

import re
from typing import Any

import numpy as np

from kerazoo.checkpoints.mapping import (
    Table,
    batch_norm,
    conv,
    depthwise,
    keras_layer,
    network_in,
    recognise,
    shape_of,
    translate,
)
from kerazoo.checkpoints.read import Arrays
from kerazoo.errors import UserError
from kerazoo.families.openpose.lightweight import BLOCKS as REFINING
from kerazoo.families.openpose.lightweight import MIXES, MOBILENET
from kerazoo.families.openpose.mobilenet_v2 import BLOCKS, KERNELS, STEM, divisible
from kerazoo.families.openpose.model import VGG19

BRANCHES = {"fields": "L1", "heatmaps": "L2"}
"""Of the paper's network and tf-pose-estimation's, here and there."""

CENTRED = {"mean": (128.0,), "std": (256.0,), "order": "BGR"}
AS_STORED = {"mean": (0.0,), "std": (1.0,), "order": "BGR"}
"""What the networks were trained on; the latter the graphs of tf-pose-estimation."""

MULTIPLIERS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Widths that MobileNetV2 is published in."""


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` for a checkpoint in one of `LAYOUTS`.

    It fits the network of what `family_settings` returns.

    Raises:
        UserError: another layout; keys that are missing or unexpected; a graph with scales where
            tf-pose-estimation has none.
    """
    layout, arguments = recognise(LAYOUTS, arrays)
    return CONVERTERS[layout](arrays, arguments["stages"])


# --- the paper's network ------------------------------------------------------------------


def vgg19(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of `body_pose_model.pth`, "conv1_1.weight" to "Mconv7_stage6_L2.bias".

    Raises:
        LookupError: other keys.
    """
    arrays = _without_modules(arrays)
    width, channels, *_ = shape_of(arrays, "conv1_1.weight", 4)
    return CENTRED | {
        "trunk": "vgg19",
        "stages": 1 + sum(bool(re.fullmatch(r"Mconv7_stage\d+_L1\.weight", key)) for key in arrays),
        "width": width / VGG19[0][0],
        "channels": channels,
        "points": shape_of(arrays, "conv5_5_CPM_L2.weight", 4)[0] - 1,
        "limbs": shape_of(arrays, "conv5_5_CPM_L1.weight", 4)[0] // 2,
    }


def convert_vgg19(arrays: Arrays, stages: int) -> Arrays:
    """Return `{variable path: array}` of `openpose`; raises UserError as `convert`."""
    names = [
        f"conv{level}_{step}" for level, (_, count) in enumerate(VGG19, 1) for step in range(1, count + 1)
    ]
    table = conv("conv4_3_CPM", "conv4_3") | conv("conv4_4_CPM", "conv4_4")
    for name in names:
        table |= conv(name, name)
    for branch, theirs in BRANCHES.items():
        for step in range(1, 5):
            table |= conv(f"conv5_{step}_CPM_{theirs}", f"stage1_{branch}_conv{step}")
        table |= conv(f"conv5_5_CPM_{theirs}", f"stage1_{branch}")
        for stage in range(2, stages + 1):
            for step in range(1, 7):
                table |= conv(f"Mconv{step}_stage{stage}_{theirs}", f"stage{stage}_{branch}_conv{step}")
            table |= conv(f"Mconv7_stage{stage}_{theirs}", f"stage{stage}_{branch}")
    return translate(_without_modules(arrays), table)


def _without_modules(arrays: Arrays) -> Arrays:
    """model0.conv1_1.weight -> conv1_1.weight, as the published file has it."""
    network = network_in(arrays, "model0.conv1_1.weight", "conv1_1.weight")
    return {re.sub(r"^model\d(_\d)?\.", "", key): array for key, array in network.items()}


# --- Lightweight OpenPose -----------------------------------------------------------------

INITIAL = "initial_stage.trunk.0.0.weight"


def mobilenet(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of Lightweight OpenPose, "model.0.0.weight" and so on.

    Raises:
        LookupError: other keys.
    """
    arrays = network_in(arrays, INITIAL)
    width, channels, *_ = shape_of(arrays, "model.0.0.weight", 4)
    return CENTRED | {
        "trunk": "mobilenet",
        "stages": 1 + len({key.split(".")[1] for key in arrays if key.startswith("refinement_stages.")}),
        "width": width / 32,
        "channels": channels,
        "points": shape_of(arrays, "initial_stage.heatmaps.1.0.weight", 4)[0] - 1,
        "limbs": shape_of(arrays, "initial_stage.pafs.1.0.weight", 4)[0] // 2,
    }


def convert_mobilenet(arrays: Arrays, stages: int) -> Arrays:
    """Return `{variable path: array}` of `lightweight_openpose`; raises UserError as `convert`."""
    table = conv("model.0.0", "conv1", bias=False) | batch_norm("model.0.1", "conv1_bn")
    for number, (name, *_) in enumerate(MOBILENET, 1):
        table |= depthwise(f"model.{number}.0", f"{name}_depthwise")
        table |= batch_norm(f"model.{number}.1", f"{name}_depthwise_bn")
        table |= conv(f"model.{number}.3", name, bias=False) | batch_norm(f"model.{number}.4", f"{name}_bn")
    table |= conv("cpm.align.0", "features_align") | conv("cpm.conv.0", "features")
    for step in range(MIXES):
        table |= depthwise(f"cpm.trunk.{step}.0", f"features_mix{step + 1}_depthwise")
        table |= conv(f"cpm.trunk.{step}.2", f"features_mix{step + 1}", bias=False)
    for step in range(3):
        table |= conv(f"initial_stage.trunk.{step}.0", f"stage1_conv{step + 1}")
    table |= _heads("initial_stage", "stage1")
    for stage in range(2, stages + 1):
        theirs = f"refinement_stages.{stage - 2}"
        for block in range(REFINING):
            table |= _block(f"{theirs}.trunk.{block}", f"stage{stage}_block{block + 1}")
        table |= _heads(theirs, f"stage{stage}")
    return translate(network_in(arrays, INITIAL), table)


def _block(source: str, target: str) -> Table:
    table = conv(f"{source}.initial.0", f"{target}_conv1")
    for step in range(2):
        name = f"{target}_conv{step + 2}"
        table |= conv(f"{source}.trunk.{step}.0", name) | batch_norm(f"{source}.trunk.{step}.1", f"{name}_bn")
    return table


def _heads(source: str, target: str) -> Table:
    table: Table = {}
    for branch, theirs in (("heatmaps", "heatmaps"), ("fields", "pafs")):
        table |= conv(f"{source}.{theirs}.0.0", f"{target}_{branch}_conv1")
        table |= conv(f"{source}.{theirs}.1.0", f"{target}_{branch}")
    return table


# --- tf-pose-estimation -------------------------------------------------------------------


def mobilenet_v2(arrays: Arrays) -> dict[str, Any] | None:
    """Return the settings for the constants of a frozen graph of tf-pose-estimation, "MobilenetV2/...".

    Raises:
        LookupError: other keys.
    """
    arrays = _renamed(arrays)
    _, _, channels, first = shape_of(arrays, "MobilenetV2/Conv/kernel", 4)
    last = arrays[f"MobilenetV2/expanded_conv_{len(BLOCKS) - 1}/project/kernel"].shape[-1]
    measured = (first, last)
    widths = [w for w in MULTIPLIERS if measured == (divisible(STEM * w), divisible(BLOCKS[-1][1] * w))]
    output = f"Openpose/MConv_Stage1_{{}}_{len(KERNELS)}_pointwise/kernel"
    return AS_STORED | {
        "trunk": "mobilenet_v2",
        "stages": len({match[1] for key in arrays if (match := re.search(r"MConv_Stage(\d+)_L1", key))}),
        "width": widths[0],
        "channels": channels,
        "points": arrays[output.format("L2")].shape[-1] - 1,
        "limbs": arrays[output.format("L1")].shape[-1] // 2,
    }


def convert_mobilenet_v2(arrays: Arrays, stages: int) -> Arrays:
    """Return `{variable path: array}` of `mobilenet_v2_openpose`; raises UserError as `convert`."""
    arrays = _renamed(arrays)
    scaling = [key for key in arrays if key.endswith(CONSTANTS) and not np.all(arrays[key] == 1)]
    if scaling:
        raise UserError(
            f"the graph scales after a normalisation ({scaling[0]}), which tf-pose-estimation's do not",
            "give the graph as it was published",
        )
    table = _image_normed("MobilenetV2/Conv", "conv")
    for block, (factor, *_) in enumerate(BLOCKS):
        theirs = "MobilenetV2/expanded_conv" + (f"_{block}" if block else "")
        for part in ["expand"] * (factor > 1) + ["depthwise", "project"]:
            table |= _image_normed(f"{theirs}/{part}", f"block{block}_{part}")
    for stage in range(1, stages + 1):
        for branch, branch_there in BRANCHES.items():
            for step in range(1, len(KERNELS) + 1):
                theirs = f"Openpose/MConv_Stage{stage}_{branch_there}_{step}"
                ours = f"stage{stage}_{branch}" + (f"_conv{step}" if step < len(KERNELS) else "")
                table |= keras_layer(f"{theirs}_depthwise", f"{ours}_depthwise", "kernel")
                table |= keras_layer(f"{theirs}_pointwise", ours, "kernel")
                stored = ("beta", "moving_mean", "moving_variance")
                table |= keras_layer(f"{theirs}_pointwise/BatchNorm", f"{ours}_bn", *stored)
    return translate(arrays, table, ignored=CONSTANTS)


CONSTANTS = ("/BatchNorm/Const", "/BatchNorm/Const_1")
"""Scales of one, and empty running statistics."""


def _renamed(arrays: Arrays) -> Arrays:
    network = network_in(arrays, "MobilenetV2/Conv/weights")
    return {re.sub(r"/(depthwise_)?weights$", "/kernel", key): array for key, array in network.items()}


def _image_normed(source: str, target: str) -> Table:
    return keras_layer(source, target, "kernel") | keras_layer(
        f"{source}/BatchNorm", f"{target}_norm", "gamma", "beta"
    )


LAYOUTS = {"openpose": vgg19, "lightweight-openpose": mobilenet, "tf-pose": mobilenet_v2}
"""What the importer reads."""

CONVERTERS = {
    "openpose": convert_vgg19,
    "lightweight-openpose": convert_mobilenet,
    "tf-pose": convert_mobilenet_v2,
}

"""Published weights of residual networks: torchvision, timm and keras.applications."""

import re
from typing import Any, NamedTuple

from kerazoo.checkpoints.mapping import (
    Arrays,
    Table,
    batch_norm,
    conv,
    dense,
    keras_layer,
    network_in,
    recognise,
    shape_of,
    translate,
)
from kerazoo.errors import UserError
from kerazoo.families.resnet.model import BLOCKS
from kerazoo.tasks.images import IMAGENET


class Names(NamedTuple):
    """What a publisher calls the layers of `resnet`.

    Attributes:
        stem: the first convolution and its batch normalisation.
        unit: what the names in a unit begin with.
        first: number of the first stage and of the first unit.
        step: a convolution of a unit and its batch normalisation.
        shortcut: a projection and its batch normalisation.
        end: the batch normalisation after the last unit.
        head: the classifier.
        keras: Keras layers with biases; else PyTorch modules.
    """

    stem: tuple[str, str | None]
    unit: str
    first: tuple[int, int]
    step: tuple[str, str]
    shortcut: tuple[str, str | None]
    head: str
    end: str | None = None
    keras: bool = False

    def within(self, stage: int, unit: int, name: str, step: int = 0) -> str:
        """Return the full name of a layer in a unit; stages, units and steps count from 1."""
        stage, unit = stage - 1 + self.first[0], unit - 1 + self.first[1]
        return self.unit.format(stage=stage, unit=unit) + name.format(step=step)

    def kernel(self, layer: str) -> str:
        """Return the key of a convolution's kernel."""
        return f"{layer}/kernel" if self.keras else f"{layer}.weight"


TORCHVISION = Names(
    stem=("conv1", "bn1"),
    unit="layer{stage}.{unit}.",
    first=(1, 0),
    step=("conv{step}", "bn{step}"),
    shortcut=("downsample.0", "downsample.1"),
    head="fc",
)
TIMM_V2 = Names(
    stem=("stem.conv", None),
    unit="stages.{stage}.blocks.{unit}.",
    first=(0, 0),
    step=("conv{step}", "norm{step}"),
    shortcut=("downsample.conv", None),
    end="norm",
    head="head.fc",
)
KERAS = Names(
    stem=("conv1_conv", "conv1_bn"),
    unit="conv{stage}_block{unit}_",
    first=(2, 1),
    step=("{step}_conv", "{step}_bn"),
    shortcut=("0_conv", "0_bn"),
    head="predictions",
    keras=True,
)


def convert(arrays: Arrays) -> Arrays:
    """Return `{variable path: array}` of `resnet` for a checkpoint in one of `LAYOUTS`.

    One without a classifier gives everything but `head`.

    Raises:
        UserError: another layout; keys that are missing or unexpected.
    """
    names, arrays, depth = _recognised(arrays)
    head = _head(names, arrays)
    return translate(arrays, table(names, depth, head=head), body=not head)


def convert_body(arrays: Arrays) -> Arrays:
    """Return what `convert` does but for `head`, whatever heads the checkpoint has."""
    names, arrays, depth = _recognised(arrays)
    return translate(arrays, table(names, depth, head=False), body=True)


def _recognised(arrays: Arrays) -> tuple[Names, Arrays, int]:
    """Return a checkpoint's names, its network and depth."""
    layout, arguments = recognise(LAYOUTS, arrays)
    network = {"torchvision": as_torchvision, "timm-resnetv2": _timm, "keras-applications": _keras}[layout]
    names = {"torchvision": TORCHVISION, "timm-resnetv2": TIMM_V2, "keras-applications": KERAS}[layout]
    return names, network(arrays), arguments["depth"]


def table(names: Names, depth: int, *, head: bool = True) -> Table:
    """Return what the variables of `resnet(depth=depth)` are called in a layout, or all but the head's."""
    entries = _pair(names, *names.stem, "stem") | _norm(names, names.end, "end_bn")
    for stage, units in enumerate(BLOCKS[depth], 1):
        for unit in range(1, units + 1):
            ours = f"stage{stage}_unit{unit}"
            for step in range(1, 4 if depth >= 50 else 3):
                kernel, norm = (names.within(stage, unit, name, step) for name in names.step)
                entries |= _pair(names, kernel, norm, f"{ours}_conv{step}")
            if unit == 1 and (stage > 1 or depth >= 50):
                projection, last = names.shortcut
                end = last and names.within(stage, unit, last)
                entries |= _pair(names, names.within(stage, unit, projection), end, f"{ours}_shortcut")
    if head and names.keras:
        entries |= keras_layer(names.head, "head", "kernel", "bias")
    elif head:
        entries |= dense(names.head, "head")
    return entries


def _pair(names: Names, convolution: str, norm: str | None, target: str) -> Table:
    if names.keras:
        kernel = keras_layer(convolution, target, "kernel", "bias")
    else:
        kernel = conv(convolution, target, bias=False)
    return kernel | _norm(names, norm, f"{target}_bn")


def _norm(names: Names, norm: str | None, target: str) -> Table:
    if norm is None:
        return {}
    if names.keras:
        return keras_layer(norm, target, "gamma", "beta", "moving_mean", "moving_variance")
    return batch_norm(norm, target)


def _head(names: Names, arrays: Arrays) -> bool:
    return names.kernel(names.head) in arrays


# --- recognition -------------------------------------------------------------------------

PLAIN = {"ordering": "original", "stride_on": "3x3", "bias": False, "epsilon": 1e-5}


def as_torchvision(arrays: Arrays) -> Arrays:
    """Return a checkpoint's network under torchvision's names.

    OpenMMLab's have a "backbone." and a "head.fc"; in trainings of one's own a classifier behind
    a dropout is called "fc.1".
    """
    first = "layer1.0.conv1.weight"
    network = network_in(arrays, f"backbone.{first}", first)
    linear = {match[1] for key in network if (match := re.fullmatch(r"(fc\.\d+)\.weight", key))}
    behind = rf"|{re.escape(linear.pop())}\." if len(linear) == 1 else ""
    names = {key: re.sub(rf"^(head\.fc\.{behind})", "fc.", key) for key in network}
    return {names[key].removeprefix("backbone."): array for key, array in network.items()}


def torchvision(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of torchvision's ResNet and timm's `resnet*`.

    Raises:
        LookupError: other keys.
    """
    arrays = as_torchvision(arrays)
    width, channels, _, _ = shape_of(arrays, "conv1.weight", 4)
    return (
        PLAIN
        | IMAGENET
        | {
            "depth": depth_of(TORCHVISION, arrays),
            "channels": channels,
            "classes": _classes(TORCHVISION, arrays),
            "width": width,
            "size": (224, 224),
            "crop_pct": 0.875,
            "interpolation": "bilinear",
        }
    )


def timm_v2(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of timm's `resnetv2_18` .. `resnetv2_152`.

    Raises:
        LookupError: other keys.
        UserError: Big Transfer's group normalisation.
    """
    arrays = _timm(arrays)
    depth = depth_of(TIMM_V2, arrays)
    width, channels, _, _ = shape_of(arrays, "stem.conv.weight", 4)
    if "norm.running_mean" not in arrays:
        raise UserError(
            "this ResNetV2 is normalised by groups (Big Transfer), which kerazoo does not build",
            "take one with batch normalisation, such as timm's resnetv2_50.a1h_in1k",
        )
    return PLAIN | {
        "depth": depth,
        "channels": channels,
        "classes": _classes(TIMM_V2, arrays),
        "width": width,
        "ordering": "full_preactivation",
        "mean": (127.5,),
        "std": (127.5,),
        "order": "RGB",
        "size": (224, 224),
        "crop_pct": 0.95,
        "interpolation": "bicubic",
    }


def keras_applications(arrays: Arrays) -> dict[str, Any]:
    """Return the settings for the keys of keras.applications' ResNet50, ResNet101 and ResNet152.

    Raises:
        LookupError: other keys.
        UserError: ResNet50V2 and its kin.
    """
    arrays = _keras(arrays)
    _, _, channels, width = shape_of(arrays, "conv1_conv/kernel", 4)
    if "conv2_block1_preact_bn/gamma" in arrays:
        raise UserError(
            "keras.applications' ResNet V2 is another network (the last unit of a stage has the stride, "
            "the first pooling sees zeros), which kerazoo does not build",
            "take timm's resnetv2_50, resnetv2_101 or resnetv2_152",
        )
    return {
        "depth": depth_of(KERAS, arrays),
        "channels": channels,
        "classes": _classes(KERAS, arrays),
        "width": width,
        "ordering": "original",
        "stride_on": "1x1",
        "bias": True,
        "epsilon": 1.001e-5,
        "mean": (103.939, 116.779, 123.68),
        "std": (1.0,),
        "order": "BGR",
        "size": (224, 224),
        "crop_pct": 1.0,
        "interpolation": "bilinear",
    }


LAYOUTS = {"torchvision": torchvision, "timm-resnetv2": timm_v2, "keras-applications": keras_applications}
"""What the importer reads."""


def _timm(arrays: Arrays) -> Arrays:
    return network_in(arrays, "stem.conv.weight")


def _keras(arrays: Arrays) -> Arrays:
    """Return the network; published files call the classifier "probs", as the code once did."""
    network = network_in(arrays, "conv1_conv/kernel")
    return {re.sub("^probs/", "predictions/", key): array for key, array in network.items()}


def depth_of(names: Names, arrays: Arrays) -> int:
    """Return the depth whose units a checkpoint has; raises LookupError where there is none."""

    def present(stage, unit, step):
        return names.kernel(names.within(stage, unit, names.step[0], step)) in arrays

    most = max(max(blocks) for blocks in BLOCKS.values())
    units = tuple(sum(present(stage, unit, 1) for unit in range(1, most + 2)) for stage in (1, 2, 3, 4))
    known = {(blocks, depth >= 50): depth for depth, blocks in BLOCKS.items()}
    return known[units, present(1, 1, 3)]


def _classes(names: Names, arrays: Arrays) -> int:
    """Return the number of classes; without a classifier, ImageNet's."""
    if not _head(names, arrays):
        return 1000
    return arrays[names.kernel(names.head)].shape[-1 if names.keras else 0]

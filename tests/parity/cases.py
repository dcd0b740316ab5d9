"""Every parity fixture: how its network is built, how its state is loaded, how its outputs are called.

`check(manifest_path, arrays_path)` compares any fixture whose manifest is like one of these,
whatever its seed.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kerazoo import models
from kerazoo.checkpoints.mapping import assign, batch_norm, conv, translate
from kerazoo.families.centernet import importer as centernet
from kerazoo.families.cyclegan import importer as cyclegan
from kerazoo.families.encoders import Encoder
from kerazoo.families.fcn import importer as fcn
from kerazoo.families.hrnet import importer as hrnet
from kerazoo.families.hrnet.configuration import SMALL_V2
from kerazoo.families.openpose import importer as openpose
from kerazoo.families.resnet import importer as resnet
from kerazoo.families.unet import importer as unet
from kerazoo.families.unetpp import importer as unetpp
from kerazoo.families.yolov4 import importer as yolov4
from kerazoo.families.yolov4.order import convolutions
from kerazoo.layers.residual import residual_unit
from kerazoo.ordering import ORDERINGS
from kerazoo.settings import fields
from tests.parity import weights

TOLERANCE = 1e-4


class Case(NamedTuple):
    """A fixture's network.

    Attributes:
        build: () -> model.
        load: (model, {checkpoint key: array}) -> None.
        outputs: (model, NCHW array) -> {the fixture's output name: NCHW array}.
    """

    build: Callable
    load: Callable
    outputs: Callable


def case(build, convert, names=None):
    """Return the case of a network with maps or logits as outputs; `names`: {our output: the fixture's}."""

    def outputs(model, x):
        found = model.predict_on_batch(x.transpose(0, 2, 3, 1))
        return {(names or {}).get(name, name): channels_first(y) for name, y in found.items()}

    return Case(build, lambda model, state: assign(model, convert(state)), outputs)


def channels_first(y):
    return y.transpose(0, 3, 1, 2) if y.ndim == 4 else y


def nested(**settings):
    return models.unetpp(norm=True, up="bilinear_align_corners", skips_first=True, **settings)


def fcn_case(stride, upsampling):
    return case(
        lambda: models.fcn(stride=stride, upsampling=upsampling),
        lambda state: fcn.convert(state, upsampling),
        {"logits": "scores"},
    )


def smp(build, importer, **settings):
    """Return the case of a network of segmentation_models_pytorch on a ResNet-34."""
    filters = (16, 32, 64, 128, 256)

    def network():
        encoder = Encoder(name="resnet34").build(3)
        return build(encoder=encoder, filters=filters, norm=True, up="nearest", **settings)

    return case(network, importer.convert, {"head4": "logits"})


def resnet_case(maps, **settings):
    """Return the case of a ResNet's logits and of some layers' maps; `maps`: {the fixture's name: layer}."""

    def build():
        network = models.resnet(**settings)
        inner = {name: network.get_layer(layer).output for name, layer in maps.items()}
        return keras.Model(network.input, network.output | inner)

    return case(build, resnet.convert)


def hrnet_case(names=None, **settings):
    """Return the case of an HRNet; `names`: {our output: the fixture's}."""
    return case(lambda: models.hrnet(**settings), hrnet.convert, names)


def hrnet_branches():
    """Return the classifier with its four branches as further outputs."""
    network = models.hrnet(head="classification", fuse="nearest", classes=1000)
    branches = {f"branch{b}": network.get_layer(f"stage4_module2_fuse{b}_out").output for b in range(4)}
    return keras.Model(network.input, network.output | branches)


def openpose_case(builder, names, **settings):
    """Return the case of a network of part affinity fields; `names`: {our stage: how the fixture begins}."""
    branches = {"heatmaps": "heatmap", "fields": "paf"}
    theirs = {
        f"stage{stage}_{ours}": f"{start}{theirs}"
        for stage, start in names.items()
        for ours, theirs in branches.items()
    }
    return case(lambda: getattr(models, builder)(**settings), openpose.convert, theirs)


def cyclegan_case(blocks):
    """Return the case of a generator, before and after its tanh."""

    def build():
        network = models.cyclegan_generator(blocks=blocks)
        logits = network.output["logits"]
        return keras.Model(network.input, {"pre_tanh": logits, "image": keras.ops.tanh(logits)})

    return case(build, cyclegan.convert_generator)


def centernet_case(backbone):
    names = {ours: theirs for theirs, ours in centernet.HEADS.items()}
    names |= {f"stack1_{ours}": f"stack0_{theirs}" for ours, theirs in names.items()}
    return case(lambda: models.centernet(backbone=backbone), centernet.convert, names)


def yolov4_case(network):
    """Return the case of the heads, called by their strides."""
    known = convolutions(network, classes=80)
    names = {f"stride{stride}": f"head_s{stride}" for stride in (8, 16, 32)}
    build = getattr(models, network.replace("-", "_"))
    return case(build, lambda state: yolov4.convert(state, known), names)


def lightweight(stages):
    names = {stage: f"stage{stage - 1}_" for stage in range(1, stages + 1)}
    return openpose_case("lightweight_openpose", names, stages=stages)


def stages(*units):
    return {f"layer{stage}": f"stage{stage}_unit{unit}_out" for stage, unit in enumerate(units, 1)}


def unit_case(ordering):
    """Return the case of a projecting and an identity unit."""

    def build():
        x = image = keras.Input((None, None, 16))
        for unit, stride in enumerate((2, 1)):
            x = residual_unit(x, 32, name=f"unit{unit}", stride=stride, ordering=ordering)
        return keras.Model(image, {"output": x})

    def convert(state):
        table = {}
        for unit, step in ((0, 1), (0, 2), (1, 1), (1, 2)):
            ours = f"unit{unit}_conv{step}"
            table |= conv(f"{unit}.conv{step}", ours, bias=False)
            table |= batch_norm(f"{unit}.bn{step}", f"{ours}_bn")
        table |= conv("0.downsample.0", "unit0_shortcut", bias=False)
        if "0.downsample.1.weight" in state:
            table |= batch_norm("0.downsample.1", "unit0_shortcut_bn")
        return translate(state, table)

    return case(build, convert)


CASES = {
    "unetpp_nested": case(nested, unetpp.convert),
    "unetpp_nested_single": case(
        lambda: nested(classes=3, deep_supervision=False), unetpp.convert, {"head4": "logits"}
    ),
    "smp_unet_resnet34": smp(models.unet, unet),
    "smp_unetplusplus_resnet34": smp(models.unetpp, unetpp, deep_supervision=False),
    "fcn32s": fcn_case(32, "learned"),
    "fcn16s": fcn_case(16, "learned"),
    "fcn8s": fcn_case(8, "learned"),
    "fcn8s_bilinear": fcn_case(8, "fixed"),
    "resnet18": resnet_case(stages(2, 2, 2, 2), depth=18),
    "resnet50": resnet_case(stages(3, 4, 6, 3), depth=50),
    "resnetv2_50": resnet_case({"features": "end_act"}, depth=50, ordering="full_preactivation"),
    "hrnet_cls_w18": case(hrnet_branches, hrnet.convert),
    "hrnet_pose_w32": hrnet_case(head="heatmap", fuse="nearest", classes=17, width=32),
    "hrnet_face_w18": hrnet_case({"logits": "heatmaps"}, head="segmentation", fuse="bilinear", classes=98),
    "hrnet_seg_w18_align_corners_false": hrnet_case(head="segmentation", fuse="bilinear", classes=19),
    "hrnet_seg_w18_align_corners_true": hrnet_case(
        head="segmentation", fuse="bilinear", classes=19, align_corners=True
    ),
    "hrnet_seg_w18_small_v2": hrnet_case(
        head="segmentation", fuse="bilinear", classes=19, **fields(SMALL_V2)
    ),
    "hrnetv2p_w18": hrnet_case(head="pyramid", fuse="nearest", classes=256),
    "cyclegan_generator_resnet9": cyclegan_case(9),
    "cyclegan_generator_resnet6": cyclegan_case(6),
    "cyclegan_discriminator": case(
        models.patch_discriminator, cyclegan.convert_discriminator, {"logits": "patches"}
    ),
    "centernet_res18": centernet_case("resnet18"),
    "centernet_dlav0_34": centernet_case("dla34"),
    "centernet_hourglass": centernet_case("hourglass104"),
    "yolov4": yolov4_case("yolov4"),
    "yolov4_tiny": yolov4_case("yolov4-tiny"),
    "openpose_coco": openpose_case("openpose", {1: "stage1_", 6: ""}),
    "lightweight_openpose": lightweight(2),
    "lightweight_openpose_3stages": lightweight(4),
    **{f"resunit_{ordering}": unit_case(ordering) for ordering in ORDERINGS},
}


def check(manifest_path, arrays_path):
    """Compare our network with a fixture.

    Args:
        manifest_path: its `.json`.
        arrays_path: its `.npz` of expected outputs.

    Returns:
        `{"case.output": max|y - reference| / max|reference|}`.

    Raises:
        AssertionError: one of them exceeds `TOLERANCE`, or the trainable values are not as many.
    """
    manifest = json.loads(Path(manifest_path).read_text())
    found, model = CASES[manifest["name"]], CASES[manifest["name"]].build()
    assert trainable(model) == manifest["params"] - fixed(manifest)
    found.load(model, weights.state(manifest))
    deviations = errors(model, found, manifest, arrays_path)
    assert np.max(list(deviations.values())) <= TOLERANCE, deviations
    return deviations


def errors(model, found, manifest, arrays_path):
    """Return `{"case.output": relative error}` of a model whose weights are loaded."""
    listed = {"main": manifest, **manifest.get("extra_cases", {})}
    deviations = {}
    with np.load(arrays_path) as arrays:
        for name, entry in listed.items():
            ours = found.outputs(model, weights.image(**entry["input"]))
            for output in (entry["name"] for entry in entry["outputs"]):
                reference = arrays[output if name == "main" else f"{name}.{output}"]
                assert ours[output].shape == reference.shape
                deviations[f"{name}.{output}"] = float(
                    np.abs(ours[output] - reference).max() / np.abs(reference).max()
                )
    return deviations


def trainable(model: keras.Model) -> int:
    """Return the number of trainable values."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def fixed(manifest) -> int:
    """Return the trainable values of the fixture that our network does not store: computed, or never read."""
    stored = ("mean", "var", "int")
    return sum(
        int(np.prod(entry["shape"]))
        for key, entry in manifest["keys"].items()
        if entry["kind"] == "bilinear" or (is_unread(key) and entry["kind"] not in stored)
    )


def is_unread(key) -> bool:
    """Whether a key of DLA stands for what no output depends on."""
    return key.startswith("base.") and bool(centernet.UNREAD.fullmatch(key))

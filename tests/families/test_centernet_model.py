"""The networks of CenterNet and the weights they take; tests/parity compares them with the published ones."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo.checkpoints.mapping import assign, recognise
from kerazoo.checkpoints.torch_weights import read_tensors
from kerazoo.errors import UserError
from kerazoo.families.centernet import CenterNet, importer
from kerazoo.families.centernet.model import centernet
from kerazoo.families.resnet.model import resnet_features
from kerazoo.layers import BatchNormalization, MirrorPad, folded
from tests.inputs import normal
from tests.parity import weights

BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
UP = {"": (3, 0), "_dcn": (6, 3)}
"""Layers from one transposed convolution to the next, and before the first."""


def slow(*backbones):
    return [pytest.param(backbone, marks=pytest.mark.slow) for backbone in backbones]


def narrow(backbone, **settings):
    return centernet(**{"classes": 3, "backbone": backbone, "width": 4} | settings)


# --- what publishers call our variables ------------------------------------------------------


def their_key(path, backbone):
    """Return the key of a variable in a published checkpoint."""
    layer, name = path.rsplit("/", 1)
    layer, _, inner = layer.partition("/")  # of a deformable convolution's own one
    norm = layer.endswith("_bn")
    layer = layer.removesuffix("_bn")
    if backbone == "hourglass104":
        module = of_hourglass(layer, norm)
    elif backbone.startswith("dla34"):
        module = of_dla(layer, norm, backbone.endswith("_dcn"))
    else:
        module = of_resnet(layer, norm, backbone.endswith("_dcn"))
    module += ".conv_offset_mask" if inner else ""
    names = BATCH_NORM if norm else {"kernel": "weight", "bias": "bias"}
    return f"{module}.{names[name]}"


def of_head(layer):
    match = re.fullmatch(r"(heatmap|size|offset)(_conv)?", layer)
    heads = {"heatmap": "hm", "size": "wh", "offset": "reg"}
    return match and f"{heads[match[1]]}.{0 if match[2] else 2}"


def of_resnet(layer, norm, deformable):
    if match := re.fullmatch(r"up(\d)(_conv)?", layer):
        step, before = UP["_dcn" if deformable else ""]
        place = step * (int(match[1]) - 1) + (0 if match[2] else before) + norm
        return f"deconv_layers.{place}"
    if match := re.fullmatch(r"stage(\d)_unit(\d)_(conv(\d)|shortcut)", layer):
        inner = f"bn{match[4]}" if norm else match[3]
        unit = f"layer{match[1]}.{int(match[2]) - 1}"
        return f"{unit}.downsample.{int(norm)}" if match[3] == "shortcut" else f"{unit}.{inner}"
    return of_head(layer) or ("bn1" if norm else "conv1")


def of_dla(layer, norm, deformable):
    if found := of_head(layer):
        return found
    if match := re.fullmatch(r"(dla_up_ida\d|ida_up)_(up|proj|node)(\d)", layer):
        module = f"{match[1].replace('_ida', '.ida_')}.{match[2]}_{match[3]}"
        if match[2] == "up":
            return module
        return module + ((".actf.0" if norm else ".conv") if deformable else f".{int(norm)}")
    *tree, last = layer.split("_") if layer.startswith("level") and "_" in layer else (layer,)
    tree = ".".join(["base", *tree])
    if last == "root":
        return f"{tree}.root.{'bn' if norm else 'conv'}"
    if last.startswith("conv"):
        return f"{tree}.{last.replace('conv', 'bn') if norm else last}"
    return f"{tree}.{last}.{int(norm)}"


def of_hourglass(layer, norm):
    if layer == "stem_conv":
        return f"pre.0.{'bn' if norm else 'conv'}"
    stack, rest = re.fullmatch(r"(?:stack(\d)_)?(.*)", layer).groups()
    if head := of_head(rest):
        name, step = head.split(".")
        return f"{name}.{int(stack or 2) - 1}.{'0.conv' if step == '0' else '1'}"
    parts = {"out": "cnvs", "before": "inters_", "after": "cnvs_"}
    if rest in parts:
        inner = ("bn" if norm else "conv") if rest == "out" else str(int(norm))
        return f"{parts[rest]}.{int(stack) - 1}.{inner}"
    unit, last = rest.rsplit("_", 1)
    inner = f"skip.{int(norm)}" if last == "shortcut" else last.replace("conv", "bn") if norm else last
    if layer.startswith("stem_unit"):
        return f"pre.1.{inner}"
    if unit == "unit":
        return f"inters.{int(stack) - 1}.{inner}"
    return f"kps.{int(stack) - 1}.{unit.replace('_unit', '.').replace('_', '.')}.{inner}"


def published(network, backbone, seed=11, gain=0.9):
    """Return a state dict for a network, drawn as the parity fixtures' are."""
    state = {}
    for variable in network.weights:
        key, shape = their_key(variable.path, backbone), tuple(variable.shape)
        up = bool(re.search(r"\.up_\d\.", key))
        if len(shape) == 4:
            shape = (shape[2], 1, *shape[:2]) if up else (shape[3], shape[2], *shape[:2])
        kind = {"running_mean": "mean", "running_var": "var"}.get(key.rsplit(".", 1)[1], "bias")
        if key.endswith("weight"):
            transposed = up or (key.startswith("deconv_layers") and shape[2:] == (4, 4))
            kind = "scale" if len(shape) == 1 else "kernel_transposed" if transposed else "kernel"
        state[key] = weights.draw(key, shape, kind, seed, gain)
    return state


# --- shapes and starts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backbone", "count"),
    [
        pytest.param("resnet50", 34_443_348, marks=pytest.mark.slow),
        pytest.param("resnet101", 53_435_476, marks=pytest.mark.slow),
        ("resnet18_dcn", 14_437_349),
        ("dla34_dcn", 19_634_164),
    ],
)
def test_parameters(backbone, count):
    network = centernet(backbone=backbone)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == count


def test_a_narrow_one_has_a_million_parameters():
    assert centernet(classes=3, width=16).count_params() < 1_000_000


@pytest.mark.parametrize("backbone", ["resnet18_dcn", *slow("dla34", "hourglass104")])
def test_any_size(backbone):
    network = narrow(backbone)
    multiple = 128 if backbone == "hourglass104" else 32
    x = normal(2, 37, 70, 3)
    maps = network.predict_on_batch(x)
    rows, columns = (-(-side // multiple) * multiple // 4 for side in (37, 70))
    stacks = ("stack1_", "") if backbone == "hourglass104" else ("",)
    shapes = {"heatmap": 3, "size": 2, "offset": 2}
    assert {name: y.shape for name, y in maps.items()} == {
        f"{stack}{head}": (2, rows, columns, count) for stack in stacks for head, count in shapes.items()
    }
    mirrored = ops.convert_to_numpy(MirrorPad(multiple)(x))
    np.testing.assert_allclose(network.predict_on_batch(mirrored)["heatmap"], maps["heatmap"], atol=1e-5)


def test_begins_with_few_objects_and_small_numbers():
    maps = narrow("resnet18", classes=20, width=16).predict_on_batch(normal(1, 64, 64, 3))
    assert 0.07 < (1 / (1 + np.exp(-maps["heatmap"]))).mean() < 0.13
    assert max(np.abs(maps[name]).max() for name in ("size", "offset")) < 0.1


def test_outputs_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    for y in narrow("resnet18_dcn").predict_on_batch(normal(1, 32, 32, 3)).values():
        assert y.dtype == "float32"


def test_what_is_not_built_is_refused():
    with pytest.raises(ValueError, match="unknown backbone 'vgg16', there are resnet18, "):
        centernet(backbone="vgg16")
    with pytest.raises(ValueError, match="width is 6, which 4 does not divide"):
        centernet(width=6)


@pytest.mark.parametrize("backbone", ["resnet18_dcn", *slow("dla34", "dla34_dcn", "hourglass104")])
def test_every_weight_is_trained(backbone):
    network = narrow(backbone, width=8)
    network.compile("sgd", "mse")
    before = [ops.convert_to_numpy(v) for v in network.trainable_variables]
    x = normal(2, *(64, 64) if backbone != "hourglass104" else (128, 128), 3)
    network.train_on_batch(x, {name: 100 + y for name, y in network.predict_on_batch(x).items()})
    after = [ops.convert_to_numpy(v) for v in network.trainable_variables]
    same = [
        v.path
        for v, old, new in zip(network.trainable_variables, before, after, strict=True)
        if (old == new).all()
    ]
    assert not same
    assert all(np.isfinite(new).all() for new in after)


@pytest.mark.parametrize("backbone", ["resnet18", *slow("dla34_dcn")])
def test_folded_networks_give_the_same(backbone):
    network = narrow(backbone, width=16)
    assign(network, importer.convert(published(network, backbone)))
    fewer, _ = folded(network)
    left = [layer.name for layer in fewer.layers if isinstance(layer, BatchNormalization)]
    # What is cropped or deformed before it is normalised stays.
    assert left
    assert all(name.startswith(("up", "dla_up", "ida_up")) for name in left)
    x = normal(1, 64, 96, 3)
    ours, theirs = fewer.predict_on_batch(x), network.predict_on_batch(x)
    for name, y in theirs.items():
        np.testing.assert_allclose(ours[name], y, atol=1e-5 * np.abs(y).max())


# --- published weights ---------------------------------------------------------------------------

PUBLISHED_CODE = {
    "dla34_dcn": {
        "heatmap": [0.44306, 0.429622, 0.416167, 0.418312],
        "size": [-0.000196, 0.012608, -0.00808, -0.00746],
        "offset": [-0.310081, -0.3153, -0.323975, -0.322826],
    },
    "resnet18_dcn": {
        "heatmap": [-0.014488, -0.192243, -0.026044, -0.193596],
        "size": [-0.327089, -0.172492, -0.332526, -0.169171],
        "offset": [-0.484706, -0.409081, -0.491131, -0.422149],
    },
}
"""Row 3, columns 4 to 7, last channel of what the published modules pose_dla_dcn and resnet_dcn give.

They were built in PyTorch a quarter as wide, their deformable convolution of `grid_sample`.
"""


@pytest.mark.parametrize("backbone", PUBLISHED_CODE)
def test_deformable_networks_compute_what_the_published_code_does(backbone):
    network = narrow(backbone, width=16)
    assign(network, importer.convert(published(network, backbone)))
    maps = network.predict_on_batch(weights.image((1, 3, 32, 64), 5).transpose(0, 2, 3, 1))
    for name, expected in PUBLISHED_CODE[backbone].items():
        np.testing.assert_allclose(maps[name][0, 3, 4:8, -1], expected, atol=2e-5)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50_dcn", "dla34", "dla34_dcn", "hourglass104"])
def test_a_checkpoint_is_recognised_and_converted(backbone):
    network = narrow(backbone, head_filters=6)
    state = published(network, backbone)
    arrays = {f"state_dict:module.{key}": array for key, array in state.items()}
    _, found = recognise(importer.LAYOUTS, arrays)
    expected = {"backbone": backbone, "classes": 3, "width": 4, "head_filters": 6, "channels": 3}
    assert found == expected | importer.COCO
    assign(network, importer.convert(arrays))
    del arrays[next(key for key in arrays if key.endswith("bn1.running_mean"))]
    with pytest.raises(UserError, match="1 missing"):
        importer.convert(arrays)


def test_what_dla_never_reads_may_be_there():
    network = narrow("dla34")
    state = published(network, "dla34")
    for key in ("fc.weight", "fc.bias", "level3.project.0.weight", "level4.project.1.running_var"):
        state[f"base.{key}"] = np.zeros(3, "float32")
    assert importer.convert(state).keys() == {v.path for v in network.weights}


@pytest.mark.parametrize("key", ["hm_hp.0.weight", "module_list.0.weight", "base.level5.project.2.weight"])
def test_other_keys_are_refused(key):
    state = published(narrow("dla34"), "dla34") | {key: np.zeros(3, "float32")}
    with pytest.raises(UserError, match=re.escape(key)):
        importer.convert(state)


def test_the_official_file(tmp_path):
    """`{"epoch", "state_dict"}` with "module." before every key, as the published trainings save."""
    torch = pytest.importorskip("torch")
    network = narrow("resnet18")
    state = {f"module.{key}": torch.tensor(value) for key, value in published(network, "resnet18").items()}
    counters = {
        key.replace("running_mean", "num_batches_tracked"): torch.tensor(7)
        for key in state
        if key.endswith("running_mean")
    }
    torch.save({"epoch": 140, "state_dict": state | counters}, tmp_path / "ctdet.pth")
    assign(network, importer.convert(read_tensors(tmp_path / "ctdet.pth", 1 << 30)))


# --- classifiers to start from -----------------------------------------------------------------------


@pytest.mark.parametrize("backbone", ["resnet18", "resnet18_dcn"])
def test_a_classifier_fills_the_resnet(backbone):
    network = narrow(backbone)
    state = published(resnet_features(depth=18, width=4), "resnet18")
    state |= {"fc.weight": np.zeros((1000, 32), "float32"), "fc.bias": np.zeros(1000, "float32")}
    found = importer.convert_body(state, backbone)
    shapes = {v.path: v.shape for v in network.weights}
    assert {path: array.shape for path, array in found.items()}.items() <= shapes.items()
    assert shapes.keys() - found.keys() == {
        path for path in shapes if path.startswith(("up", "heatmap", "size", "offset"))
    }


def test_a_classifier_fills_dla():
    network = narrow("dla34_dcn")
    state = {
        key.removeprefix("base."): array
        for key, array in published(network, "dla34_dcn").items()
        if key.startswith("base.")
    }
    state |= {"fc.weight": np.zeros((1000, 32, 1, 1), "float32"), "fc.bias": np.zeros(1000, "float32")}
    found = importer.convert_body(state, "dla34_dcn")
    assert found.keys() == {v.path for v in network.weights if v.path.startswith(("base_layer", "level"))}


def test_no_classifier_has_an_hourglass():
    with pytest.raises(UserError, match="no classifier that an hourglass"):
        importer.convert_body({}, "hourglass104")


def test_a_training_starts_from_a_classifier_with_its_normalisation():
    state = published(resnet_features(depth=18, width=4), "resnet18")
    state |= {"fc.weight": np.zeros((1000, 32), "float32"), "fc.bias": np.zeros(1000, "float32")}
    family, weights_by_path = CenterNet(classes=2, width=4, size=(64, 64)).start(state)
    assert (family.order, family.mean[0], family.classes) == ("RGB", 123.675, 2)
    assert weights_by_path.keys() == importer.convert_body(state, "resnet18").keys()


def test_a_training_starts_from_a_published_network():
    network = narrow("resnet18", head_filters=6)
    family, weights_by_path = CenterNet(classes=3).start(published(network, "resnet18"))
    assert (family.order, family.width, family.head_filters) == ("BGR", 4, 6)
    assert weights_by_path.keys() == {variable.path for variable in network.weights}

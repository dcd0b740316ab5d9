"""Weights of YOLOv4: darknet's files in and out, the port, and what is refused."""

import hashlib
import json
import struct

import keras
import numpy as np
import pytest

from kerazoo import models
from kerazoo.checkpoints.mapping import assign
from kerazoo.checkpoints.read import read
from kerazoo.families.yolov4 import importer
from kerazoo.families.yolov4.order import convolutions
from tests.parity import weights
from tests.refusals import refusal

SMALL = {"yolov4": {"width": 2, "depth": 0.2}, "yolov4-tiny": {"width": 4, "depth": 1.0}}


def built(network, classes=3):
    arguments = {"classes": classes, **SMALL[network]}
    if network == "yolov4-tiny":
        del arguments["depth"]
    return getattr(models, network.replace("-", "_"))(**arguments)


def known(network, classes=3):
    return convolutions(network, classes=classes, **SMALL[network])


def stirred(network):
    """Return a small network whose variables all differ."""
    model, rng = built(network), np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def values(model):
    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}


@pytest.mark.parametrize("name", [pytest.param("yolov4", marks=pytest.mark.slow), "yolov4_tiny"])
def test_the_written_file_is_that_of_the_fixture(shared, tmp_path, name):
    """Its sha256 is the manifest's; and it reads back, as do darknet's other header and a PyTorch port."""
    manifest = json.loads((shared / "parity" / f"{name}.json").read_text())
    order = convolutions(name.replace("_", "-"), classes=80)
    state = weights.state(manifest)
    model = getattr(models, name)()
    arrays = importer.convert(state, order)
    assign(model, arrays)
    path = tmp_path / "written.weights"
    importer.write_darknet(model, path, order)
    content = path.read_bytes()
    assert len(content) == manifest["darknet_weights"]["bytes"]
    assert hashlib.sha256(content).hexdigest() == manifest["darknet_weights"]["sha256"]

    told = importer.darknet(read(path))
    assert (told["network"], told["classes"], told["width"]) == (name.replace("_", "-"), 80, 32)
    back = importer.convert(read(path), order)
    assert arrays.keys() == back.keys()
    assert all(np.array_equal(arrays[key], array) for key, array in back.items())
    assert importer.port(state) == told


@pytest.mark.parametrize("network", SMALL)
def test_the_order_is_that_of_the_network(network):
    model = built(network)
    for name, channels, filters, kernel, norm in known(network):
        layer = model.get_layer(name)
        assert tuple(layer.kernel.shape) == (kernel, kernel, channels, filters)
        assert layer.use_bias is not norm
    assert sum(c.values() for c in known(network)) == sum(np.prod(v.shape) for v in model.weights)


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("header", [struct.pack("<3iQ", 0, 2, 5, 7), struct.pack("<3iI", 0, 1, 0, 7)])
def test_both_headers_are_read(tmp_path, network, header):
    model, path = stirred(network), tmp_path / "a.weights"
    importer.write_darknet(model, path, known(network))
    path.write_bytes(header + path.read_bytes()[20:])
    other = built(network)
    assign(other, importer.convert(read(path), known(network)))
    expected = values(model)
    assert all(np.array_equal(expected[key], array) for key, array in values(other).items())


@pytest.mark.parametrize(("classes", "network"), [(1, "yolov4"), (20, "yolov4"), (3, "yolov4-tiny")])
def test_the_number_of_values_tells_the_classes(classes, network):
    shape = {"network": network, "width": 32, "depth": 1.0, "channels": 3}
    count = sum(c.values() for c in convolutions(classes=classes, **shape))
    told = importer.darknet({"darknet": np.zeros(count, "float32")})
    assert (told["network"], told["classes"], told["std"]) == (network, classes, (255.0,))
    assert importer.darknet({"darknet": np.zeros(count + 1, "float32")}) is None


def test_a_partial_file_is_the_first_layers():
    """The 137 layers of yolov4.conv.137 are the first 92 convolutions."""
    order = convolutions("yolov4", classes=80)
    count = sum(c.values() for c in order[:92])
    shape, arrays = importer.begun(
        np.zeros(count, "float32"), 3, {"network": "yolov4", "width": 4, "depth": 1.0, "channels": 3}
    )
    assert shape["width"] == 32
    assert "up8_conv5/kernel" in arrays
    assert not any(path.startswith("stride8") for path in arrays)
    with refusal("nor do their first layers"):
        importer.begun(np.zeros(count - 5, "float32"), 3, shape_of_small())


def shape_of_small():
    return {"network": "yolov4", "width": 2, "depth": 0.2, "channels": 3}


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.weights"
    path.write_bytes(struct.pack("<3iQ", 0, 2, 5, 0) + b"\0" * 7)
    with refusal("a.weights", "ends within a value"):
        read(path)
    path.write_bytes(struct.pack("<3iQ", 0, 2, 5, 0))
    with refusal("a.weights", "ends within a value"):
        read(path)
    path.write_bytes(struct.pack("<3iQ", 1001, 2, 5, 0) + b"\0" * 8)
    with refusal("a.weights", "no checkpoint"):
        read(path)
    few = {"darknet": np.zeros(100, "float32")}
    with refusal("100 values"):
        importer.convert(few, known("yolov4"))
    count = sum(c.values() for c in known("yolov4"))
    with refusal("not finite"):
        importer.convert({"darknet": np.full(count, np.nan, "float32")}, known("yolov4"))


def test_another_number_of_convolutions_is_refused(shared):
    manifest = json.loads((shared / "parity" / "yolov4_tiny.json").read_text())
    with refusal("21 convolutions", "46"):
        importer.convert(weights.state(manifest), known("yolov4")[:46])

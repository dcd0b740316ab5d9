import keras
import numpy as np
import pytest

from kerazoo.families.unet.geometry import valid_margin, valid_size
from kerazoo.families.unet.model import unet
from tests.inputs import normal

SMALL = {"filters": (2, 3, 4, 5, 6), "channels": 1}


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("channels", "classes", "count"), [(1, 2, 31_030_658), (1, 1, 31_030_593), (3, 1, 31_031_745)]
)
def test_parameters_of_the_paper(padding, channels, classes, count):
    assert unet(channels=channels, classes=classes, padding=padding).count_params() == count


def test_normalised_convolutions_have_no_bias():
    model = unet(**SMALL, norm=True)
    pairs = [layer for layer in model.layers if layer.name.endswith(("conv1", "conv2"))]
    assert len(pairs) == 18
    assert not any(layer.use_bias for layer in pairs)


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
@pytest.mark.parametrize("norm", [True, False])
def test_any_size(up, norm):
    model = unet(filters=(2, 3, 4), channels=1, classes=2, up=up, norm=norm)
    for size in ((97, 131), (5, 7), (32, 48), (1, 1)):
        assert model.predict_on_batch(normal(1, *size, 1))["logits"].shape == (1, *size, 2)


@pytest.mark.parametrize(("size", "labelled"), [((572, 572), (388, 388)), ((188, 204), (4, 20))])
def test_valid_sizes_of_the_paper(size, labelled):
    model = unet(**SMALL, padding="valid")
    assert model.predict_on_batch(normal(1, *size, 1))["logits"].shape == (1, *labelled, 1)


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_valid_geometry_at_every_depth(depth, up):
    model, margin = unet(filters=(2,) * depth, padding="valid", up=up), valid_margin(depth)
    least = valid_size(1, depth)
    for size in (least, valid_size(least + 1, depth)):
        assert valid_size(size, depth) == size
        assert model.predict_on_batch(normal(1, size, size, 3))["logits"].shape[1] == size - 2 * margin > 0


def test_valid_numbers():
    assert valid_margin(5) == 92
    assert [valid_size(n, 5) for n in (1, 188, 189, 572, 573)] == [188, 188, 204, 572, 588]


def test_a_valid_window_gives_what_the_whole_gives_there():
    model = unet(**SMALL, padding="valid")
    whole = normal(1, 236, 252, 1)
    part = model.predict_on_batch(whole[:, 16:204, 32:220])["logits"]
    np.testing.assert_allclose(part, model.predict_on_batch(whole)["logits"][:, 16:20, 32:36], atol=1e-5)


def test_upsampled_map_comes_before_the_skip():
    tensors = unet(**SMALL).get_layer("concat2").input
    assert [tensor._keras_history.operation.name for tensor in tensors] == ["up2_conv", "down2_conv2"]


def test_dropout_ends_the_contracting_path():
    dropped = [layer.name for layer in unet(**SMALL).layers if isinstance(layer, keras.layers.Dropout)]
    assert dropped == ["dropout4", "dropout5"]


def test_logits_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    for padding, side in (("same", 9), ("valid", 188)):
        logits = unet(**SMALL, padding=padding).predict_on_batch(normal(1, side, side, 1))["logits"]
        assert logits.dtype == "float32"

"""U-Net and UNet++ on encoders."""

import keras
import numpy as np
import pytest

from kerazoo import models
from kerazoo.errors import UserError
from kerazoo.families.encoders import Encoder
from kerazoo.families.unet import UNet
from kerazoo.families.unetpp import UNetPlusPlus

FILTERS = (4, 4, 8, 8, 8)
RESNET = Encoder(name="resnet18", width=4)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "hrnet", "MobileNetV2", "MobileNetV3Small"])
def test_an_encoder_gives_five_maps_each_half_as_large(name):
    width = 4 if name.startswith(("resnet", "hrnet")) else None
    maps = Encoder(name=name, width=width).build(3)(np.zeros((1, 64, 96, 3), "float32"))
    sizes = {key: tuple(value.shape[1:3]) for key, value in maps.items()}
    assert sizes == {f"c{k}": (64 >> k, 96 >> k) for k in range(1, 6)}


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_the_output_stride_is_that_of_the_last_maps_and_leaves_the_weights(output_stride):
    encoder = Encoder(name="resnet18", width=4, output_stride=output_stride)
    network, published = encoder.build(3), RESNET.build(3)
    maps = network(np.zeros((1, 64, 96, 3), "float32"))
    strides = {f"c{k}": min(2**k, output_stride) for k in range(1, 6)}
    assert {key: value.shape[1:3] for key, value in maps.items()} == {
        key: (64 // stride, 96 // stride) for key, stride in strides.items()
    }
    assert [(v.path, v.shape) for v in network.variables] == [(v.path, v.shape) for v in published.variables]
    assert encoder.weight_settings() == RESNET.weight_settings()


def test_output_strides_that_nothing_is_built_for_are_refused():
    with pytest.raises(ValueError, match="hrnet has an output stride of 32 only"):
        Encoder(name="hrnet", output_stride=8)
    for family in (UNet, UNetPlusPlus):
        with pytest.raises(ValueError, match="output_stride is 32"):
            family(encoder=Encoder(name="resnet18", output_stride=16), filters=FILTERS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MobileNetV7", "did you mean 'MobileNetV"),
        ("EfficientNetB0", "normalises its input itself"),
        ("Xception", "has no map c1"),
    ],
)
def test_encoders_that_cannot_serve_are_refused(name, message):
    with pytest.raises(UserError, match=message):
        Encoder(name=name).build(3)


@pytest.mark.parametrize("build", [models.unet, models.unetpp])
def test_any_size_and_any_number_of_channels(build):
    network = build(encoder=RESNET.build(5), channels=5, classes=2, filters=FILTERS, norm=True, up="nearest")
    for logits in network.predict_on_batch(np.zeros((1, 61, 97, 5), "float32")).values():
        assert logits.shape == (1, 61, 97, 2)


def test_a_frozen_encoder_keeps_its_weights_and_its_batch_statistics():
    encoder = Encoder(name="resnet18", width=4, frozen=True).build(3)
    network = models.unet(encoder=encoder, filters=FILTERS, norm=True, dropout=0.0)
    network.compile("sgd", {"logits": "mse"})
    before = [keras.ops.convert_to_numpy(v).copy() for v in encoder.variables]
    after = keras.ops.convert_to_numpy(network.get_layer("merge1_conv1_bn").moving_mean).copy()
    rng = np.random.default_rng(0)
    network.train_on_batch(rng.normal(3, 2, (2, 32, 32, 3)), {"logits": rng.normal(0, 1, (2, 32, 32, 1))})
    for variable, old in zip(encoder.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), old)
    assert (keras.ops.convert_to_numpy(network.get_layer("merge1_conv1_bn").moving_mean) != after).any()


def test_pruning_also_prunes_the_encoder():
    from kerazoo.families.unetpp.model import prune

    network = models.unetpp(encoder=RESNET.build(3), filters=FILTERS, norm=True)
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    whole = network.predict_on_batch(x)
    for level in (1, 4):
        part = prune(network, level)
        np.testing.assert_allclose(
            part.predict_on_batch(x)[f"head{level}"], whole[f"head{level}"], rtol=1e-5, atol=1e-6
        )
        names = {layer.name for layer in part.layers}
        assert ("stage4_unit1_conv1" in names) == (level == 4)
        assert "stage1_unit1_conv1" in names


@pytest.mark.parametrize("family", [UNet, UNetPlusPlus])
def test_freezing_is_not_what_weights_go_with(family):
    thawed, frozen = (
        family(encoder=Encoder(frozen=frozen), filters=(16, 32, 64, 128, 256)) for frozen in (0, 1)
    )
    assert thawed.weight_settings() == frozen.weight_settings()
    assert thawed.weight_settings() != family(filters=(16, 32, 64, 128, 256)).weight_settings()


def test_an_encoder_needs_as_many_filters_as_it_has_maps():
    with pytest.raises(ValueError, match="an encoder needs 5 filters"):
        UNet(encoder=RESNET, filters=(4, 8))
    with pytest.raises(ValueError, match="an encoder needs same padding"):
        UNet(encoder=RESNET, filters=FILTERS, padding="valid")
    with pytest.raises(ValueError, match="an encoder needs"):
        models.unetpp(encoder=RESNET.build(3), filters=(4, 8))

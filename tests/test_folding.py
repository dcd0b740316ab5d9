"""Folded networks predict what whole ones do."""

import keras
import numpy as np
import pytest
from keras import layers

import kerazoo
from kerazoo import backend
from kerazoo.layers import BatchNormalization, Conv2D, Conv2DTranspose, DepthwiseConv2D, folded
from tests.inputs import normal
from tests.tiny import TINY


def shaken(network):
    """Give normalisations statistics and scales that are not those of the start."""
    rng = np.random.default_rng(0)
    for variable in network.weights:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return network


def norms(network):
    return {layer.name for layer in network.layers if isinstance(layer, BatchNormalization)}


def predictions(network, x):
    return keras.tree.flatten(backend.forward(network)(x))


def close(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


CONVOLUTIONS = {
    "plain": Conv2D(4, 3, use_bias=False),
    "biased": Conv2D(4, 3, 2, bias_initializer="ones"),
    "transposed": Conv2DTranspose(4, 2, 2),
    "depthwise": DepthwiseConv2D(3, depth_multiplier=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_normalisation_after_a_convolution_is_folded(name):
    image = keras.Input((None, None, 3))
    convolved = type(CONVOLUTIONS[name]).from_config(CONVOLUTIONS[name].get_config())(image)
    network = shaken(keras.Model(image, BatchNormalization(name="bn")(convolved)))
    fewer, fold_anew = folded(network)
    assert not norms(fewer)
    x = normal(2, 9, 8, 3)
    close(predictions(fewer, x), predictions(network, x))
    before = predictions(fewer, x)
    network.get_layer("bn").beta.assign_add(np.ones(network.output.shape[-1]))
    network.layers[1].kernel.assign(network.layers[1].kernel * 2)
    close(predictions(fewer, x), before)
    fold_anew()
    close(predictions(fewer, x), predictions(network, x))


def test_weights_that_went_astray_are_folded_without_a_word():
    image = keras.Input((None, None, 3))
    convolved = Conv2D(4, 3, kernel_initializer=keras.initializers.Constant(1e38))(image)
    network = keras.Model(image, BatchNormalization(epsilon=1e-5)(convolved))
    network.layers[-1].moving_variance.assign(np.full(4, 1e-4, "float32"))
    fewer, _ = folded(network)
    assert np.isinf(keras.ops.convert_to_numpy(fewer.layers[-1].kernel)).all()


def branches(image):
    """Convolutions whose normalisations must stay, beside one that need not."""
    read_twice = Conv2D(3, 1, name="read_twice")(image)
    active = Conv2D(3, 1, activation="relu", name="active")(image)
    put_out = Conv2D(3, 1, name="put_out")(image)
    shared = Conv2D(3, 1, name="shared")
    same = [BatchNormalization(name=f"shared_{i}")(shared(x)) for i, x in enumerate((image, active))]
    twice = BatchNormalization(name="twice")
    again = [twice(Conv2D(3, 1)(image)), twice(active)]
    kept = [
        BatchNormalization(name="of_read_twice")(read_twice),
        layers.Add()([read_twice, image]),
        BatchNormalization(name="of_active")(active),
        BatchNormalization(name="of_put_out")(put_out),
        BatchNormalization(name="of_image")(image),
    ]
    gone = BatchNormalization(name="gone")(Conv2D(3, 1)(image))
    return [put_out, *same, *again, *kept, gone]


def test_what_another_layer_reads_is_left_alone():
    image = keras.Input((None, None, 3))
    network = shaken(keras.Model(image, branches(image)))
    fewer, _ = folded(network)
    assert norms(network) - norms(fewer) == {"gone"}
    x = normal(2, 5, 4, 3)
    close(predictions(fewer, x), predictions(network, x))


@pytest.mark.parametrize("name", TINY)
def test_families_predict_the_same(name):
    family = TINY[name]
    network = family.deploy(shaken(family.build()))
    fewer, _ = folded(network)
    if fewer is network:
        pytest.skip("it is no graph of layers")
    x = normal(1, *(side or 64 for side in network.input.shape[1:3]), network.input.shape[-1])
    close(predictions(fewer, x), predictions(network, x))


def test_resnet_keeps_a_third_of_its_arrays():
    network = kerazoo.models.resnet(depth=50, classes=3)
    assert len(folded(network)[0].weights) == 108  # 54 kernels and biases of 267 arrays


def test_an_encoder_s_normalisations_are_folded_each_time():
    encoder = kerazoo.models.resnet_features(depth=18, width=4)
    network = kerazoo.models.unet(encoder=encoder, classes=2, filters=(4,) * 5, norm=True, up="nearest")
    assert norms(network)
    assert [norms(folded(network)[0]) for _ in range(2)] == [set(), set()]

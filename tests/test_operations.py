"""The operations below the layers against Keras' own: numbers, gradients, and gradients of gradients."""

import keras
import numpy as np
import pytest
from keras import ops

import kerazoo.layers
from kerazoo import backend
from kerazoo.layers import Conv2D, Conv2DTranspose, operations
from kerazoo.layers.operations import general

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype("float32")


CONVOLUTIONS = [  # kernel, strides, padding, dilation
    ((1, 1, 3, 4), (1, 1), "valid", (1, 1)),
    ((1, 1, 3, 4), (2, 2), "same", (1, 1)),
    ((3, 3, 3, 4), (1, 1), "same", (1, 1)),
    ((3, 3, 3, 4), (2, 2), "same", (1, 1)),
    ((3, 3, 3, 4), (2, 2), "valid", (1, 1)),
    ((4, 4, 3, 4), (1, 1), "same", (1, 1)),
    ((3, 3, 3, 4), (1, 1), "same", (2, 2)),
    ((3, 2, 3, 4), (1, 2), "same", (1, 1)),
    ((3, 3, 1, 6), (1, 1), "same", (1, 1)),  # three groups
]
CASES = {
    f"convolution-{i}": ("convolution", (case[0], case[0][-1:]), case[1:])
    for i, case in enumerate(CONVOLUTIONS)
}
CASES |= {
    "depthwise": ("depthwise_convolution", ((3, 3, 3, 2), (6,)), ((1, 1), "same", (2, 2))),
    "depthwise-strided": ("depthwise_convolution", ((3, 3, 3, 1), (3,)), ((2, 2), "valid", (1, 1))),
    "depthwise-same": ("depthwise_convolution", ((3, 2, 3, 1), (3,)), ((2, 2), "same", (1, 1))),
    "transposed-2x2": ("transposed_convolution", ((2, 2, 4, 3), (4,)), ((2, 2),)),
    "transposed-3x3": ("transposed_convolution", ((3, 3, 4, 3), (4,)), ((2, 2),)),
    "transposed-4x4": ("transposed_convolution", ((4, 4, 4, 3), (4,)), ((2, 2),)),
    "instance-norm": ("instance_norm", ((3,), (3,)), (1e-3,)),
}


def slopes_of_slopes(operation, values, options):
    """Return an operation's output, its gradients, and the gradients of their squares."""

    def loss(values):
        return ops.sum(ops.sin(operation(*values, *options)))

    def steepness(values):
        return sum(ops.sum(ops.square(slope)) for slope in backend.gradients(loss, values))

    values = [ops.convert_to_tensor(value) for value in values]
    output = operation(*values, *options)
    first = backend.gradients(loss, values)
    second = backend.gradients(steepness, values)
    return [ops.convert_to_numpy(ops.stop_gradient(value)) for value in (output, *first, *second)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [(9, 8), (6, 7)])
def test_gradients_and_their_gradients_are_those_of_keras(case, size):
    name, shapes, options = CASES[case]
    values = [normal(2, *size, 3), *(normal(*shape) for shape in shapes)]
    ours = slopes_of_slopes(getattr(operations, name), values, options)
    theirs = slopes_of_slopes(getattr(general, name), values, options)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-5 * np.abs(other).max())


def test_the_gradient_of_a_narrow_strided_convolution_stays_in_its_memory():
    """PyTorch 2.13 and TensorFlow 2.21 died of it: "double free or corruption"."""
    x, kernel = normal(2, 128, 128, 8), normal(1, 1, 8, 16)

    def loss(values):
        return ops.sum(operations.convolution(*values, None, (2, 2), "valid", (1, 1)))

    for _ in range(3):
        by_x, by_kernel = backend.gradients(loss, [ops.convert_to_tensor(v) for v in (x, kernel)])
    taken = x[:, ::2, ::2].sum((0, 1, 2))
    np.testing.assert_allclose(ops.convert_to_numpy(by_kernel)[0, 0, :, 5], taken, rtol=1e-3, atol=1e-2)
    slope = ops.convert_to_numpy(by_x)
    np.testing.assert_allclose(slope[1, 126, 64], kernel.sum(-1)[0, 0], rtol=1e-4)
    assert not slope[:, 1::2].any()


@pytest.mark.parametrize("padding", ["valid", "same", 1])
def test_maximum_of_windows(padding):
    x = normal(2, 7, 6, 3) - 3  # zeros beyond the border would win
    ours = operations.max_pool(ops.convert_to_tensor(x), (3, 3), (2, 2), padding)
    theirs = general.max_pool(ops.convert_to_tensor(x), (3, 3), (2, 2), padding)
    np.testing.assert_array_equal(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs))


@pytest.mark.parametrize("padding", ["valid", 1])
def test_of_equal_pixels_the_first_has_the_gradient(padding):
    x = RNG.integers(0, 2, (2, 7, 6, 3)).astype("float32")
    size = (2, 2) if padding == "valid" else (3, 3)

    def slope(pool):
        def loss(values):
            y = pool(values[0], size, (2, 2), padding)
            weights = np.arange(np.prod(y.shape), dtype="float32").reshape(y.shape)
            return ops.sum(y * ops.convert_to_tensor(weights))

        (found,) = backend.gradients(loss, [ops.convert_to_tensor(x)])
        return ops.convert_to_numpy(found)

    np.testing.assert_array_equal(slope(operations.max_pool), slope(general.max_pool))


@pytest.mark.skipif(backend.name() == "tensorflow", reason="TensorFlow's own maximum passes over NaN")
def test_a_window_with_a_nan_has_no_maximum():
    for place in range(4):
        x = np.ones((1, 2, 2, 1), "float32")
        x.reshape(-1)[place] = np.nan
        pooled = operations.max_pool(ops.convert_to_tensor(x), (2, 2), (2, 2), "valid")
        assert np.isnan(ops.convert_to_numpy(pooled)).all()


def test_reflection_is_numpys():
    x = normal(2, 7, 6, 3)
    ours = ops.convert_to_numpy(operations.reflect_pad(ops.convert_to_tensor(x), 3))
    np.testing.assert_array_equal(ours, np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), "reflect"))


def test_kernels_keep_shape_and_values_in_any_layout():
    layer = Conv2D(4, 3)
    layer.build((None, None, None, 2))
    kernel = normal(3, 3, 2, 4)
    layer.set_weights([kernel, np.zeros(4, "float32")])
    assert layer.kernel.shape == (3, 3, 2, 4)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.kernel), kernel)


def test_a_transposed_convolution_is_not_padded():
    with pytest.raises(ValueError, match="padding"):
        Conv2DTranspose(4, 3, padding="same")
    with pytest.raises(ValueError, match="stride"):
        Conv2DTranspose(4, 2, strides=3)


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_layers_are_keras_own_by_numbers_and_names(name):
    ours, theirs = (getattr(module, name)(4, 3, 2) for module in (kerazoo.layers, keras.layers))
    x = normal(1, 8, 9, 3)
    expected = ops.convert_to_numpy(theirs(x))
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(ours(x)), expected, atol=1e-5)
    assert [variable.name for variable in ours.weights] == [variable.name for variable in theirs.weights]

"""Deformable convolution against loops in NumPy, and upsampling by channel against its definition."""

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo import backend
from kerazoo.layers import Conv2D, DeformableConv2D, DepthwiseConv2DTranspose
from kerazoo.layers.deformable import deformable_convolution
from tests.inputs import normal


def sampled(image, y, x):
    """Return `image (H, W, C)` at one place: bilinear, 0 beyond the border."""
    height, width, channels = image.shape
    value = np.zeros(channels)
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < height and 0 <= column < width:
                value += (1 - abs(y - row)) * (1 - abs(x - column)) * image[row, column]
    return value


def reference(images, raw, kernel, bias, x_before_y=False):
    """DCNv2's equation 1, pixel by pixel and tap by tap, in float64."""
    count, height, width, _ = images.shape
    out = np.zeros((count, height, width, kernel.shape[-1])) + bias
    for n, i, j, k in np.ndindex(count, height, width, 9):
        dy, dx = raw[n, i, j, 2 * k : 2 * k + 2][:: -1 if x_before_y else 1]
        weight = 1 / (1 + np.exp(-float(raw[n, i, j, 18 + k])))
        value = sampled(images[n].astype("float64"), i + k // 3 - 1 + dy, j + k % 3 - 1 + dx)
        out[n, i, j] += weight * value @ kernel[k // 3, k % 3].astype("float64")
    return out


def deformable(shape, filters=4, spread=1.5):
    """Return a layer whose offsets are large, the borders included, and its input."""
    layer = DeformableConv2D(filters)
    layer.build(shape)
    rng = np.random.default_rng(1)
    for variable in layer.weights:
        variable.assign(rng.normal(0, spread / np.sqrt(np.prod(shape[1:3])), variable.shape))
    layer.offset.bias.assign(rng.normal(0, spread, 27))
    return layer, normal(*shape)


def parts(layer, x):
    """Return what `reference` is called with."""
    raw, *others = (ops.convert_to_numpy(value) for value in (layer.offset(x), layer.kernel, layer.bias))
    return x, raw, *others


def relative(found, expected):
    return np.abs(ops.convert_to_numpy(found) - expected).max() / np.abs(expected).max()


def test_equals_the_loops():
    layer, x = deformable((2, 6, 5, 3))
    raw = parts(layer, x)[1]
    assert np.abs(raw[..., :18]).max() > 3  # far beyond the border, too
    assert relative(layer(x), reference(*parts(layer, x))) < 1e-5


def test_offsets_the_other_way_round_are_far_off():
    layer, x = deformable((2, 6, 5, 3))
    assert relative(layer(x), reference(*parts(layer, x), x_before_y=True)) > 0.1


def test_whole_offsets_shift_the_map():
    layer = DeformableConv2D(3)
    x = normal(1, 7, 6, 3)
    layer.build(x.shape)
    kernel = np.zeros((3, 3, 3, 3), "float32")
    kernel[1, 1] = np.eye(3)
    layer.kernel.assign(kernel)
    layer.offset.bias.assign([0] * 8 + [2, -1] + [0] * 8 + [100] * 9)  # the middle: 2 down, 1 to the left
    expected = np.zeros_like(x)
    expected[:, :-2, 1:] = x[:, 2:, :-1]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-6)


def test_begins_as_half_a_convolution():
    layer, plain = DeformableConv2D(4), Conv2D(4, 3, padding="same")
    x = normal(2, 6, 5, 3)
    start = layer(x)
    plain.build(x.shape)
    plain.kernel.assign(layer.kernel / 2)
    np.testing.assert_allclose(ops.convert_to_numpy(start), ops.convert_to_numpy(plain(x)), atol=1e-5)
    assert sum(int(np.prod(v.shape)) for v in layer.weights) == 9 * 3 * 4 + 4 + 9 * 3 * 27 + 27


def test_gradients_are_the_slopes():
    layer, x = deformable((1, 5, 4, 2), 3)
    *start, bias = parts(layer, x)
    direction = normal(1, 5, 4, 3)
    found = backend.gradients(
        lambda values: ops.sum(deformable_convolution(*values) * ops.convert_to_tensor(direction)),
        [ops.convert_to_tensor(value) for value in start],
        again=False,
    )
    for which, gradient in enumerate(map(ops.convert_to_numpy, found)):
        assert np.isfinite(gradient).all()
        for place in np.random.default_rng(2).integers(0, gradient.size, 12):
            ends = []
            for step in (-1e-4, 1e-4):
                moved = [value.astype("float64") for value in start]
                moved[which].flat[place] += step
                ends.append((reference(*moved, bias) * direction).sum())
            assert gradient.flat[place] == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=1e-3, abs=1e-4)


def test_what_is_not_finite_stays_so_and_stops_nothing():
    layer, x = deformable((1, 5, 4, 2), 3)
    x[0, 2, 2] = np.nan
    y = ops.convert_to_numpy(layer(x))
    assert np.isnan(y[0, 2, 2]).all()


def test_any_size_and_saved(tmp_path):
    image = keras.Input((None, None, 3))
    x = DepthwiseConv2DTranspose(2)(DeformableConv2D(4)(image))
    network = keras.Model(image, x)
    assert network.output.shape == (None, None, None, 4)
    network.save(tmp_path / "network.keras")
    other = keras.saving.load_model(tmp_path / "network.keras")
    for side in (1, 4, 7):
        x = normal(2, side, side + 1, 3)
        y = network.predict_on_batch(x)
        assert y.shape == (2, 2 * side, 2 * side + 2, 4)
        np.testing.assert_array_equal(other.predict_on_batch(x), y)


def test_in_half_precision_places_stay_exact():
    layer, x = deformable((1, 2, 600, 3))  # bfloat16 knows no odd number beyond 256
    half = DeformableConv2D(4, dtype="mixed_bfloat16")
    half.build(x.shape)
    layer.offset.kernel.assign(np.zeros((3, 3, 3, 27)))
    half.set_weights([ops.convert_to_numpy(v) for v in layer.weights])
    y = half(x)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert relative(ops.cast(y, "float32"), ops.convert_to_numpy(layer(x))) < 0.03


@pytest.mark.parametrize("factor", [2, 4])
def test_upsampling_by_channel_adds_each_pixel_s_kernel(factor):
    layer, x = DepthwiseConv2DTranspose(factor), normal(2, 3, 4, 5)
    layer.build(x.shape)
    kernel = np.random.default_rng(1).normal(size=layer.kernel.shape).astype("float32")
    layer.kernel.assign(kernel)
    whole = np.zeros((2, 3 * factor + factor, 4 * factor + factor, 5))
    for i, j in np.ndindex(3, 4):
        rows, columns = (slice(k * factor, (k + 2) * factor) for k in (i, j))
        whole[:, rows, columns] += x[:, i, j, None, None] * kernel[..., 0]
    crop = slice(factor // 2, -(factor // 2))
    assert relative(layer(x), whole[:, crop, crop]) < 1e-5


def test_upsampling_by_channel_begins_as_interpolation():
    x = np.arange(6, dtype="float32")[None, None, :, None] + np.zeros((1, 5, 1, 2), "float32")
    y = ops.convert_to_numpy(DepthwiseConv2DTranspose(2)(x))
    np.testing.assert_allclose(y[0, 5, 1:-1, 0], np.arange(10) / 2 + 0.25)


def test_an_odd_factor_is_refused():
    with pytest.raises(ValueError, match="factor is 3, which is odd"):
        DepthwiseConv2DTranspose(3)

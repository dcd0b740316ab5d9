"""The layers against small NumPy references, in float64."""

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo.layers import (
    BatchNormalization,
    Bilinear,
    BilinearConv2DTranspose,
    CropLike,
    CurrentNorm,
    HeNormal,
    InstanceNormalization,
    Materialised,
    MirrorPad,
    Normal,
    ResizeLike,
    Upsample,
    bilinear_kernel,
    conv_norm_act,
    pad_conv,
    pad_depthwise,
)
from tests.inputs import normal

ROUNDED = 2e-5
"""The backends' own resize counts positions in float32: where the factor is no power of two they are
off by 1e-7 of the side, and values by that times their slope. Elsewhere it is exact."""


def run(layer, *inputs):
    return ops.convert_to_numpy(layer(inputs[0] if len(inputs) == 1 else list(inputs)))


def interpolated(x, size, axis, align_corners):
    """Linear interpolation along an axis, one position at a time."""
    old, rows = x.shape[axis], []
    for i in range(size):
        p = i * (old - 1) / max(size - 1, 1) if align_corners else (i + 0.5) * old / size - 0.5
        p = min(max(p, 0), old - 1)
        low = int(p)
        high = min(low + 1, old - 1)
        rows.append((1 - (p - low)) * x.take(low, axis) + (p - low) * x.take(high, axis))
    return np.stack(rows, axis)


def bilinear(x, height, width, align_corners):
    x = interpolated(x.astype("float64"), height, 1, align_corners)
    return interpolated(x, width, 2, align_corners)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("factor", [2, 3, 8])
@pytest.mark.parametrize("size", [(5, 8), (1, 2), (33, 1)])
def test_bilinear_upsampling(size, factor, align_corners):
    x = normal(2, *size, 3)
    expected = bilinear(x, size[0] * factor, size[1] * factor, align_corners)
    layer = Upsample(factor, align_corners=align_corners)
    exact = align_corners or factor != 3
    np.testing.assert_allclose(run(layer, x), expected, atol=2e-6 if exact else ROUNDED)
    assert layer.compute_output_shape((None, *size, 3)) == (None, *expected.shape[1:])


@pytest.mark.parametrize("factor", [2, 4])
def test_nearest_upsampling(factor):
    x = normal(2, 5, 3, 4)
    expected = x.repeat(factor, 1).repeat(factor, 2)
    np.testing.assert_array_equal(run(Upsample(factor, "nearest"), x), expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(13, 9), (4, 31), (1, 1)])
def test_resizing_to_another_map(size, align_corners):
    x, like = normal(2, 7, 11, 3), normal(2, *size, 1)
    expected = bilinear(x, *size, align_corners)
    atol = 2e-6 if align_corners else ROUNDED
    np.testing.assert_allclose(run(ResizeLike(align_corners), x, like), expected, atol=atol)


def legacy(x, size, axis):
    """Linear interpolation along an axis on TensorFlow 1's grid, one position at a time."""
    old, rows = x.shape[axis], []
    for i in range(size):
        low = i * old // size
        share = i * old / size - low
        rows.append((1 - share) * x.take(low, axis) + share * x.take(min(low + 1, old - 1), axis))
    return np.stack(rows, axis)


@pytest.mark.parametrize("size", [(14, 22), (13, 9), (4, 31), (1, 1)])
def test_resizing_on_the_grid_of_tensorflow_1(size):
    x, like = normal(2, 7, 11, 3), normal(2, *size, 1)
    expected = legacy(legacy(x.astype("float64"), size[0], 1), size[1], 2)
    np.testing.assert_allclose(run(ResizeLike(half_pixel=False), x, like), expected, atol=2e-6)


@pytest.mark.parametrize("size", [(97, 131), (5, 7), (1, 1), (2, 48)])
@pytest.mark.parametrize(("margin", "remainder"), [(0, 0), (5, 3)])
def test_mirroring_equals_numpy_reflection(size, margin, remainder):
    x = normal(1, *size, 2)
    sides = [next(s for s in range(n + 2 * margin, 999) if s % 16 == remainder) for n in size]
    widths = [(margin, side - n - margin) for side, n in zip(sides, size, strict=True)]
    expected = np.pad(x, [(0, 0), *widths, (0, 0)], mode="reflect")
    layer = MirrorPad(16, margin, remainder)
    np.testing.assert_array_equal(run(layer, x), expected)
    assert layer.compute_output_shape((None, *size, 2)) == (None, *sides, 2)
    assert layer.compute_output_shape((None, None, None, 2)) == (None, None, None, 2)


def test_what_fits_is_left_alone():
    x = ops.convert_to_tensor(normal(1, 32, 48, 2))
    assert MirrorPad(16).call(x) is x
    assert CropLike().call([x, x]) is x


def test_crop():
    x, like = normal(2, 9, 12, 3), normal(2, 4, 5, 1)
    np.testing.assert_array_equal(run(CropLike(3), x, like), x[:, 3:7, 3:8])


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (2, 3)])
def test_materialising_changes_neither_values_nor_gradients(shape):
    entry = keras.Input(shape[1:])
    scaled = keras.layers.Dense(4, kernel_initializer="ones", name="scaled")(entry)
    model = keras.Model(entry, Materialised()(scaled))
    x = normal(*shape)
    np.testing.assert_allclose(model.predict_on_batch(x), np.repeat(x.sum(-1)[..., None], 4, -1), atol=1e-6)
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    model.train_on_batch(x, model.predict_on_batch(x) - 1)  # the derivative by every output is 2 / outputs
    moved = ops.convert_to_numpy(model.get_layer("scaled").bias)
    np.testing.assert_allclose(moved, -0.5 * np.ones(4), atol=1e-6)


@pytest.mark.parametrize("factor", [2, 8])
def test_transposed_convolutions_interpolate(factor):
    """Away from the borders the bilinear kernel is half-pixel interpolation, shifted by factor / 2."""
    x = normal(1, 6, 7, 3)
    fixed = run(BilinearConv2DTranspose(factor), x)
    learned = keras.layers.Conv2DTranspose(
        3, 2 * factor, factor, use_bias=False, kernel_initializer=Bilinear()
    )
    np.testing.assert_allclose(run(learned, x), fixed, atol=1e-6)
    inner = np.s_[:, factor:-factor, factor:-factor]
    whole = bilinear(x, 6 * factor, 7 * factor, align_corners=False)
    shift = factor // 2
    shifted = fixed[:, shift : shift + whole.shape[1], shift : shift + whole.shape[2]]
    np.testing.assert_allclose(shifted[inner], whole[inner], atol=2e-6)


def test_bilinear_kernel_of_even_and_odd_size():
    np.testing.assert_allclose(np.diag(bilinear_kernel(4, 1)[..., 0, 0]), [0.0625, 0.5625, 0.5625, 0.0625])
    np.testing.assert_allclose(np.diag(bilinear_kernel(3, 1)[..., 0, 0]), [0.25, 1, 0.25])
    assert not bilinear_kernel(4, 2)[..., 0, 1].any()


@pytest.mark.parametrize("size", [8, 9])
def test_strided_convolutions_pad_all_four_sides(size):
    entry = keras.Input((size, size, 1))
    model = keras.Model(entry, pad_conv(entry, 1, stride=2, bias=False, name="c"))
    model.set_weights([np.arange(9.0).reshape(3, 3, 1, 1)])
    x = normal(1, size, size, 1)
    padded = np.pad(x[0, ..., 0], 1)
    sides = range(0, size, 2)
    expected = [
        [(padded[r : r + 3, c : c + 3] * np.arange(9).reshape(3, 3)).sum() for c in sides] for r in sides
    ]
    np.testing.assert_allclose(model.predict_on_batch(x)[0, ..., 0], expected, atol=1e-5)


def test_dilated_convolutions_keep_the_size():
    entry = keras.Input((6, 7, 1))
    model = keras.Model(entry, pad_conv(entry, 1, dilation=2, bias=False, name="c"))
    model.set_weights([np.arange(9.0).reshape(3, 3, 1, 1)])
    x = normal(1, 6, 7, 1)
    padded = np.pad(x[0, ..., 0], 2)
    taps = np.arange(9).reshape(3, 3)
    expected = [[(padded[r : r + 5 : 2, c : c + 5 : 2] * taps).sum() for c in range(7)] for r in range(6)]
    np.testing.assert_allclose(model.predict_on_batch(x)[0, ..., 0], expected, atol=1e-5)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("size", [8, 9])
def test_depthwise_convolutions(size, stride, dilation):
    entry = keras.Input((size, size, 2))
    model = keras.Model(entry, pad_depthwise(entry, name="c", stride=stride, dilation=dilation))
    kernel = normal(3, 3, 2, 1)
    model.set_weights([kernel])
    x = normal(1, size, size, 2)
    padded = np.pad(x[0], ((dilation, dilation), (dilation, dilation), (0, 0)))
    reach, sides = 2 * dilation + 1, range(0, size, stride)
    windows = [[padded[r : r + reach : dilation, c : c + reach : dilation] for c in sides] for r in sides]
    expected = (np.array(windows) * kernel[..., 0]).sum(axis=(2, 3))
    np.testing.assert_allclose(model.predict_on_batch(x)[0], expected, atol=1e-5)


@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_every_image_is_normalised_by_itself(mean):
    x = normal(3, 5, 7, 2) * np.array([1.0, 20.0], "float32") + np.float32(mean)
    layer = InstanceNormalization(1e-3)
    layer.build(x.shape)
    layer.set_weights([np.array([2.0, 3.0]), np.array([-1.0, 0.5])])
    exact = x.astype("float64")
    centred = exact - exact.mean((1, 2), keepdims=True)
    std = np.sqrt(exact.var((1, 2), keepdims=True) + 1e-3)
    expected = centred / std * [2, 3] + [-1, 0.5]
    np.testing.assert_allclose(run(layer, x), expected, atol=1e-5 if not mean else 1e-3)
    np.testing.assert_array_equal(run(layer, x[1:2]), run(layer, x)[1:2])
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x, training=True)), run(layer, x))
    assert [v.path.rpartition("/")[2] for v in layer.trainable_weights] == ["gamma", "beta"]


@pytest.mark.parametrize("norm", [True, False])
def test_conv_norm_act_dilates_the_convolution(norm):
    entry = keras.Input((None, None, 1))
    model = keras.Model(entry, conv_norm_act(entry, 1, norm=norm, dilation=3, name="a"))
    model.get_layer("a").kernel.assign(np.ones((3, 3, 1, 1)))
    x = np.zeros((1, 9, 9, 1), "float32")
    x[0, 4, 4] = 1
    assert set(zip(*np.nonzero(model.predict_on_batch(x)[0, ..., 0]), strict=True)) == {
        (row, column) for row in (1, 4, 7) for column in (1, 4, 7)
    }


def test_block_normalises_between_convolution_and_activation():
    entry = keras.Input((4, 4, 2))
    plain = keras.Model(entry, conv_norm_act(entry, 3, norm=False, name="a"))
    normed = keras.Model(entry, conv_norm_act(entry, 3, name="b"))
    assert [v.path for v in plain.weights] == ["a/kernel", "a/bias"]
    assert [v.path.split("/")[0] for v in normed.weights] == ["b", *["b_bn"] * 4]
    assert normed.get_layer("b_bn").epsilon == 1e-5
    assert normed.predict_on_batch(normal(2, 4, 4, 2)).min() == 0


def test_same_seed_same_weights_on_every_backend():
    """A number stands for the other backends: each runs this test."""
    keras.utils.set_random_seed(3)
    first, second = (keras.layers.Conv2D(4, 3, kernel_initializer=HeNormal()) for _ in range(2))
    for layer in (first, second):
        layer.build((None, None, None, 2))
    kernel = ops.convert_to_numpy(first.kernel)
    assert not np.array_equal(kernel, ops.convert_to_numpy(second.kernel))
    np.testing.assert_allclose(kernel[0, 0, 0], [-0.3259345, -0.0996637, 0.1990172, 0.2379446], rtol=1e-6)


def test_a_gaussian_of_given_deviation_is_the_same_on_every_backend():
    kernel = ops.convert_to_numpy(Normal(0.01, seed=3)((3, 3, 32, 64)))
    assert kernel.std() == pytest.approx(0.01, rel=0.02)
    np.testing.assert_allclose(kernel[0, 0, 0, :2], [0.0241715, 0.0014276], rtol=1e-4)


def test_deviation_follows_the_fan_in():
    kernel = ops.convert_to_numpy(HeNormal(seed=0)((3, 3, 32, 64)))
    assert kernel.std() == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.02)
    entry = keras.Input((4, 4, 512))
    (kernel,) = keras.Model(entry, pad_depthwise(entry, name="c")).get_weights()
    assert kernel.std() == pytest.approx((2 / 9) ** 0.5, rel=0.05)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_layers_keep_the_compute_dtype(policy):
    keras.config.set_dtype_policy(policy)
    x = normal(1, 6, 6, 2)
    for layer in (
        MirrorPad(4),
        Upsample(2),
        Upsample(2, align_corners=True),
        Upsample(2, "nearest"),
        InstanceNormalization(),
    ):
        assert keras.backend.standardize_dtype(layer(x).dtype) == policy.removeprefix("mixed_")


def test_layers_survive_a_keras_file(tmp_path):
    entry = keras.Input((None, None, 2))
    small = keras.layers.MaxPooling2D(2)(MirrorPad(4, 2)(entry))
    maps = [ResizeLike(True)([small, entry]), CropLike(1)([Upsample(4, "nearest")(small), entry])]
    maps += [ResizeLike(half_pixel=False)([small, entry]), InstanceNormalization(0.1)(entry)]
    maps += [pad_conv(small, 2, name="c"), pad_depthwise(small, name="d")]
    model = keras.Model(entry, [*maps, BilinearConv2DTranspose(2)(small)])
    model.save(tmp_path / "m.keras")
    x = normal(1, 6, 9, 2)
    again = keras.saving.load_model(tmp_path / "m.keras").predict_on_batch(x)
    for ours, theirs in zip(model.predict_on_batch(x), again, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_unknown_sizes_give_the_numbers_of_known_ones(backend):
    if backend != "tensorflow":
        pytest.skip("only TensorFlow traces with unknown sizes")
    import tensorflow as tf

    entry = keras.Input((None, None, 2))
    small = keras.layers.MaxPooling2D(2, padding="same")(entry)
    maps = [MirrorPad(8, 3, 5)(entry), CropLike(1)([Upsample(3)(small), entry]), ResizeLike()([small, entry])]
    maps += [
        Upsample(2, align_corners=True)(small),
        ResizeLike(True)([small, entry]),
        Upsample(2, "nearest")(entry),
        ResizeLike(half_pixel=False)([small, entry]),
        InstanceNormalization()(entry),
        pad_depthwise(entry, dilation=2, name="c"),
    ]
    model = keras.Model(entry, maps)
    traced = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 2))])
    for size in ((97, 131), (4, 7)):
        x = normal(1, *size, 2)
        for ours, theirs in zip(traced(x), model(x), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=ROUNDED)


@pytest.mark.parametrize(
    ("norm", "how"), [(BatchNormalization(epsilon=1e-3), {"training": True}), (CurrentNorm(epsilon=1e-3), {})]
)
def test_channels_far_from_zero_are_normalised_to_float32_rounding(norm, how):
    x = np.random.default_rng(0).normal(1.0, 0.05, (95, 28, 28, 4)).astype("float32")
    double = x.astype("float64")
    expected = (double - double.mean((0, 1, 2))) / np.sqrt(double.var((0, 1, 2)) + 1e-3)
    off = np.abs(ops.convert_to_numpy(norm(x, **how)) - expected).max() / np.abs(expected).max()
    assert off < 2e-6  # Keras' own: 1.6e-5 on TensorFlow, 4.3e-5 on PyTorch


def test_batch_normalisation_remembers_and_predicts_as_keras_does():
    x = normal(8, 6, 5, 3)
    ours, theirs = BatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for norm in (ours, theirs):
        norm(x, training=True)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(mine), ops.convert_to_numpy(other), atol=1e-6)
    np.testing.assert_allclose(run(ours, x), run(theirs, x), atol=2e-6)

import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.tasks.translation.blending import _fading, blended


def pixels(values):
    return np.clip((values + 1) * 127.5, 0, 255).round().astype("uint8")


def make_image(height, width):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype("uint8")


@pytest.mark.parametrize("size", [(50, 70), (64, 64), (31, 200), (100, 33)])
def test_what_translates_pixel_by_pixel_comes_back_whole(size):
    image = make_image(*size)
    same = blended(lambda window: {"AtoB": window / 127.5 - 1}, image, 32, pixels)["AtoB"]
    np.testing.assert_array_equal(same, image)


def test_windows_of_other_tones_leave_no_seam():
    tones = iter(np.random.default_rng(0).uniform(-0.5, 0.5, 1000))

    def one_tone(window):
        return {"AtoB": np.full(window.shape, next(tones), "float32")}

    made = blended(one_tone, make_image(160, 160), 64, pixels)["AtoB"].astype(int)
    steps = max(np.abs(np.diff(made, axis=axis)).max() for axis in (0, 1))
    assert steps <= 128 * np.pi / 64 + 1  # the steepest of the fading, and rounding


def test_windows_fade_by_half_a_hann_window_whose_weights_sum_to_one():
    weights = _fading(6)
    np.testing.assert_allclose(weights, np.sin(np.pi * (np.arange(6) + 0.5) / 12) ** 2, atol=1e-6)
    np.testing.assert_allclose(weights + weights[::-1], 1, atol=1e-6)


def test_the_smallest_tile_is_taken():
    image = make_image(40, 30)
    same = blended(lambda window: {"AtoB": window / 127.5 - 1}, image, 16, pixels)["AtoB"]
    np.testing.assert_array_equal(same, image)


def test_a_tile_of_few_pixels_is_refused():
    with pytest.raises(UserError, match="too small"):
        blended(lambda window: {}, make_image(40, 40), 4, pixels)

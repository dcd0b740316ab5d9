"""Geometry: exact where it can be, the same grid for image and truth, smooth where it bends."""

import cv2
import numpy as np
import pytest

from kerazoo.data.warp import Warp, about, elastic, linear, quarter_turn, shifted
from kerazoo.tasks.segmentation import Mask

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (7, 10, 3), "uint8")
WEIGHTS = RNG.random((7, 10), "float32")
CENTRE = (4.5, 3.0)


def both(matrix, size=(7, 10), centre=CENTRE):
    warp = Warp(about(matrix, size, centre), size)
    return warp.image(IMAGE), warp.labels(WEIGHTS)


def assert_is(result, change):
    np.testing.assert_array_equal(result[0], change(IMAGE))
    np.testing.assert_array_equal(result[1], change(WEIGHTS))


def test_flips_are_exact():
    assert_is(both(linear(-1, 0, 0, 1)), lambda a: a[:, ::-1])
    assert_is(both(linear(1, 0, 0, -1)), lambda a: a[::-1])


@pytest.mark.parametrize("turns", range(5))
def test_quarter_turns_are_exact(turns):
    size = (10, 7) if turns % 2 else (7, 10)
    assert_is(both(quarter_turn(turns), size), lambda a: np.rot90(a, turns))


def test_moves_by_whole_pixels_are_exact_and_mirror_what_is_beyond():
    padded = Warp(shifted(-3, -2), (12, 15))
    assert_is((padded.image(IMAGE), padded.labels(WEIGHTS)), lambda a: np.pad(
        a, ((2, 3), (3, 2), *([(0, 0)] * (a.ndim - 2))), mode="reflect"))  # fmt: skip


def test_composition_equals_one_step_after_the_other():
    once = both(quarter_turn(1) @ linear(-1, 0, 0, 1), (10, 7))
    assert_is(once, lambda a: np.rot90(a)[:, ::-1])


def test_enlarging_has_pixel_centres_where_opencv_has_them():
    smooth = cv2.GaussianBlur(RNG.integers(0, 256, (20, 20, 3), "uint8"), (0, 0), 2)
    warped = Warp(about(linear(0.5, 0, 0, 0.5), (40, 40), (9.5, 9.5)), (40, 40)).image(smooth)
    expected = cv2.resize(smooth, (40, 40), interpolation=cv2.INTER_LINEAR)
    assert np.abs(warped.astype(int) - expected)[1:-1, 1:-1].max() <= 2


def test_shrinking_averages_and_does_not_alias():
    stripes = np.zeros((64, 64, 3), "uint8")
    stripes[:, ::2] = 255
    shrunk = Warp(about(linear(4, 0, 0, 4), (16, 16), (31.5, 31.5)), (16, 16)).image(stripes)
    assert np.abs(shrunk.astype(int) - 127).max() <= 2
    block = np.kron(IMAGE, np.ones((4, 4, 1), "uint8"))
    exact = Warp(about(linear(4, 0, 0, 4), (7, 10), (19.5, 13.5)), (7, 10)).image(block)
    np.testing.assert_array_equal(exact, IMAGE)


def random_warp(rng, size, centre, zoom):
    angle = rng.uniform(-np.pi, np.pi)
    turned = linear(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))
    centre = tuple(np.asarray(centre) + rng.normal(0, 2, 2))
    field = elastic(rng.normal(0, 4, (3, 3, 2)), size)
    return Warp(about(turned @ linear(zoom, 0.1, 0, zoom), size, centre), size, field)


@pytest.mark.parametrize("seed", range(8))
def test_image_and_labels_are_read_at_the_same_place(seed):
    """Every pixel holds its own coordinates: read linearly and read nearest they differ by rounding alone."""
    y, x = np.mgrid[:128, :128].astype("float32")
    warp = random_warp(np.random.default_rng(seed), (60, 50), (63.5, 63.5), zoom=1.0)
    linearly = warp.image(np.dstack([x, y, x]))
    for channel, axis in ((0, x), (1, y)):
        error = linearly[..., channel] - warp.labels(axis)
        assert np.abs(error).max() <= 0.5 + 1 / 32
        assert abs(error.mean()) < 0.02


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_the_warped_step_is_the_step_of_the_warped_mask(seed, zoom):
    y, x = np.mgrid[:90, :120]
    inside = (x - 60) ** 2 / 35**2 + (y - 45) ** 2 / 25**2 < 1
    image = np.dstack([inside * 255] * 3).astype("uint8")
    warp = random_warp(np.random.default_rng(seed), (100, 80), (60, 45), zoom)
    seen, labels = warp.image(image)[..., 0] > 127, warp.labels(inside.astype("uint8")) == 1
    assert 0 < labels.sum() < labels.size
    assert abs(int(seen.sum()) - int(labels.sum())) < 0.02 * labels.sum() + 4
    assert np.abs(np.argwhere(seen).mean(axis=0) - np.argwhere(labels).mean(axis=0)).max() < 0.2
    edge = cv2.morphologyEx(labels.astype("uint8"), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    assert not ((seen != labels) & (edge == 0)).any()


def test_a_mask_moves_with_its_weights():
    warp = Warp(about(linear(-1, 0, 0, 1), (7, 10), CENTRE), (7, 10))
    mask = Mask(IMAGE[..., 0], WEIGHTS).moved(warp)
    np.testing.assert_array_equal(mask.labels, IMAGE[:, ::-1, 0])
    np.testing.assert_array_equal(mask.weights, WEIGHTS[:, ::-1])
    assert mask.weights.dtype == np.float32


def test_elastic_fields_pass_through_their_nodes_and_are_smooth():
    nodes = RNG.normal(0, 10, (3, 3, 2))
    field = elastic(nodes, (129, 201))
    assert field.dtype == np.float32
    np.testing.assert_allclose(field[:, ::64, ::100], np.moveaxis(nodes, -1, 0), rtol=1e-5, atol=1e-5)
    assert np.abs(np.diff(field, n=2, axis=1)).max() < 0.1  # no kink between nodes
    assert np.abs(np.diff(field, n=2, axis=2)).max() < 0.1
    np.testing.assert_allclose(elastic(np.ones((3, 3, 2)), (33, 17)), 1.0, rtol=1e-6)


def test_elastic_bends_straight_lines_by_the_displacement():
    y, x = np.mgrid[:101, :101]
    ramp = np.dstack([x, y, x]).astype("uint8") * 2
    field = elastic(RNG.normal(0, 3, (3, 3, 2)), (101, 101))
    moved = Warp(np.eye(3), (101, 101), field).image(ramp)[20:-20, 20:-20]
    np.testing.assert_allclose(moved[..., 0] / 2, (x + field[0])[20:-20, 20:-20], atol=0.6)
    np.testing.assert_allclose(moved[..., 1] / 2, (y + field[1])[20:-20, 20:-20], atol=0.6)


def test_images_beyond_opencvs_limit_are_warped():
    wide = np.tile(np.arange(40_000) % 251, (8, 1)).astype("uint8")
    window = Warp(shifted(39_000.0, 2.0), (4, 100))
    np.testing.assert_array_equal(window.labels(wide), wide[2:6, 39_000:39_100])

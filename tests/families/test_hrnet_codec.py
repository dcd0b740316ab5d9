"""Heat maps of points, and points of heat maps."""

import numpy as np
import pytest

from kerazoo.families.hrnet import codec
from kerazoo.settings import replace
from kerazoo.structures.placement import Window
from tests.hands import AS_PUBLISHED, SMALL, WHOLE, people, somewhere

# --- targets ----------------------------------------------------------------------------------


def test_published_targets():
    """A patch of 6 sigma + 1 cells around cell int(x / 4 + 0.5), as the training code draws it."""
    points = np.array([[[50.3, 40.2], [0.9, 1.1], [94.2, 127.4], [13.9, 14.1], [60.0, 62.0]]], "float32")
    found = AS_PUBLISHED.encode(people(points), WHOLE)["heatmaps"]
    x = np.arange(13)
    patch = np.exp(-((x - 6) ** 2 + (x[:, None] - 6) ** 2) / (2 * 2.0**2))
    for point, (left, top) in enumerate(points[0]):
        column, row = int(left / 4 + 0.5), int(top / 4 + 0.5)
        whole = np.zeros((32 + 20, 24 + 20))
        whole[10 + row - 6 : 10 + row + 7, 10 + column - 6 : 10 + column + 7] = patch
        np.testing.assert_allclose(found[..., point], whole[10:-10, 10:-10], atol=1e-7)


def test_exact_targets_are_gaussians_around_the_point_itself():
    points = np.array([[[50.3, 40.2], [0.0, 0.0], [95.0, 127.0], [1.5, 5.5], [60.0, 62.0]]], "float32")
    targets = SMALL.encode(people(points), WHOLE)
    x, y = 4 * np.arange(24) + 1.5, 4 * np.arange(32) + 1.5
    for point, (left, top) in enumerate(points[0]):
        squared = ((x - left) ** 2 + (y[:, None] - top) ** 2) / 16
        np.testing.assert_allclose(targets["heatmaps"][..., point], np.exp(-squared / 8), atol=1e-6)
    assert targets["heatmaps"][1, 0, 3] == 1
    assert targets["heatmaps"].dtype == targets["weights"].dtype == "float32"


def test_what_is_not_labelled_or_not_in_the_frame_is_not_learned():
    points = [[[50, 40], [-0.6, 10], [10, 127.6], [95.4, 127.4], [60, 62]]]
    targets = SMALL.encode(people(points, [[0, 2, 2, 1, 2]]), WHOLE)
    np.testing.assert_array_equal(targets["weights"], [0, 0, 0, 1, 1])
    assert not targets["heatmaps"][..., :3].any()
    nobody = SMALL.encode(people(np.zeros((0, 5, 2))), WHOLE)
    assert {name: value.shape for name, value in nobody.items()} == {"heatmaps": (32, 24, 5), "weights": (5,)}
    assert not any(value.any() for value in nobody.values())


def test_of_several_people_the_one_in_the_middle_is_meant():
    each = [somewhere(1) / 3 + shift for shift in ((0, 0), (30, 40), (64, 85))]
    expected = SMALL.encode(people(each[1]), WHOLE)
    found = SMALL.encode(people(np.concatenate(each)), WHOLE)
    np.testing.assert_array_equal(found["heatmaps"], expected["heatmaps"])


def test_the_middle_of_a_person_is_that_of_the_box_and_the_windows_that_of_the_window():
    """The second box's middle is the window's, though both corners of the first one's are nearer."""
    truth = people(np.stack([somewhere(1)[0], somewhere(1, seed=1)[0]]))
    truth.boxes[:] = [(100, 60, 30, 10), (60, 20, 120, 80)]
    window = Window(80, 20, 80, 80, 80, 80)
    inside = SMALL.encode(truth, window)["heatmaps"]
    alone = SMALL.encode(people(truth.points[1:]), window)["heatmaps"]
    np.testing.assert_array_equal(inside, alone)
    truth.boxes[0] = (118, 58, 4, 4)
    nearer = SMALL.encode(people(truth.points[:1]), window)["heatmaps"]
    truth.boxes[1, 0] += 1
    np.testing.assert_array_equal(SMALL.encode(truth, window)["heatmaps"], nearer)


# --- and back ---------------------------------------------------------------------------------


def far(family, frame=WHOLE, noise=0.0):
    """Return how many pixels of the image decoded points are off, for 200 people."""
    off, rng = [], np.random.default_rng(1)
    truth = frame.to_image(somewhere(200))
    for points in truth:
        maps = family.encode(people(points[None]), frame)["heatmaps"]
        maps = maps + noise * rng.normal(size=maps.shape).astype("float32")
        found = family.decode({"heatmaps": maps}, frame)
        off.append(found.points[0, :, :2] - points)
    return np.linalg.norm(off, axis=-1), np.mean(off, axis=(0, 1))


def test_the_top_of_a_gaussian_is_found_exactly():
    off, _ = far(SMALL)
    assert off.max() < 0.01
    off, _ = far(SMALL, noise=0.02)
    assert off.mean() < 0.15


@pytest.mark.parametrize("place", [(10.3, 11.8), (8.6, 9.4), (2.2, 2.4), (16.7, 11.0), (12.0, 15.9)])
def test_the_top_of_a_slanting_gaussian_is_found_too(place):
    """Its logarithm is a polynomial of degree 2 with a mixed term: the Taylor expansion is exact."""
    inverse = np.array([[0.30, 0.13], [0.13, 0.20]])
    cells = np.stack(np.meshgrid(np.arange(24), np.arange(24)), axis=-1) - np.array(place)
    heights = np.exp(-np.einsum("yxi,ij,yxj->yx", cells, inverse, cells) / 2)[..., None].astype("float32")
    shift = codec.refined(heights, np.rint([place]).astype(int), sigma=1.0)
    np.testing.assert_allclose(np.rint(place) + shift[0], place, atol=0.02 if min(place) > 4 else 0.1)


def test_near_the_border_the_quarter_serves():
    """Slopes over two cells are known from the third row and column on to the third last."""
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    for place in range(1, 16):
        maps = np.exp(-((x - place - 0.1) ** 2 + (y - 8.1) ** 2) / 8)[..., None].astype("float32")
        for seen, cell in ((maps, [[place, 8]]), (maps.swapaxes(0, 1), [[8, place]])):
            quarter = codec.quarter(seen, np.array(cell))
            np.testing.assert_array_equal(quarter, np.full((1, 2), 0.25 * (1 < place < 15)))
            exact = (codec.refined(seen, np.array(cell), 2.0) != quarter).all()
            assert exact == (1 < place < 14)


def test_a_quarter_of_a_cell_halves_the_error_of_whole_cells():
    off, bias = far(replace(SMALL, {"decode_by": "quarter"}))
    assert 0.7 < off.mean() < 0.8  # mean distance in a square of side 2; without the shift 1.53
    assert off.max() < 2**0.5
    assert abs(bias).max() < 0.1


def test_rounded_targets_are_as_coarse_as_their_cells_but_not_biased():
    for family in (AS_PUBLISHED, replace(AS_PUBLISHED, {"cells": "centre"})):
        off, bias = far(family)
        assert off.max() < 2 * 2**0.5
        assert abs(bias).max() < 0.2
    misread = replace(AS_PUBLISHED, {"cells": "centre"}), replace(AS_PUBLISHED, {"cells": "corner"})
    maps = misread[1].encode(people(somewhere(1)), WHOLE)
    shift = misread[0].decode(maps, WHOLE).points - misread[1].decode(maps, WHOLE).points
    np.testing.assert_allclose(shift[0, :, :2], 1.5)


def test_points_come_back_into_the_images_pixels():
    frame = Window(37, -20, 300, 400, 96, 128)
    off, _ = far(SMALL, frame)
    assert off.max() < 0.03


def test_the_quarter_goes_to_the_higher_neighbour_but_not_at_the_border():
    maps = np.zeros((8, 8, 3), "float32")
    for point, (x, y) in enumerate(((4, 4), (1, 4), (7, 7))):
        maps[y, x, point] = 1.0
        maps[y, x - 1, point] = 0.5
        maps[y - 1, x, point] = 0.5
    found = codec.peaks(maps, None)
    np.testing.assert_array_equal(found, [[3.75, 3.75, 1], [1, 4, 1], [7, 7, 1]])


def test_where_there_is_no_top_the_quarter_serves():
    for maps in (np.ones((16, 16, 1)), np.random.default_rng(0).normal(size=(16, 16, 40))):
        maps = maps.astype("float32")
        shift = codec.peaks(maps, 2.0)[:, :2] - codec.peaks(maps, None)[:, :2]
        assert np.abs(shift).max() <= 1.25


def test_what_is_nowhere_above_zero_is_not_found():
    maps = np.full((8, 8, 5), -1.0, "float32")
    maps[..., 1] = 0
    maps[3, 3, 2:] = 0.1, 0.5, 0.7
    found = SMALL.decode({"heatmaps": maps}, Window(0, 0, 32, 32, 32, 32))
    np.testing.assert_allclose(found.points[0, :, 2], [0, 0, 0.1, 0.5, 0.7])
    assert found.scores == pytest.approx([0.6])  # the mean of those above 0.2
    assert SMALL.decode({"heatmaps": 0 * maps}, Window(0, 0, 32, 32, 32, 32)).scores == [0]

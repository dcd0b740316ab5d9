"""Geometry: exact where it can be, the same grid for image and truth, smooth where it bends."""

import dataclasses

import cv2
import numpy as np
import pytest

from kerazoo.structures.keypoints import People
from kerazoo.structures.mask import Mask
from kerazoo.structures.skeleton import COCO17, COCO18, MPII
from kerazoo.structures.warp import Warp, about, elastic, linear, quarter_turn, shifted

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
    turned = Warp(shifted(2.0, 39_000.0), (100, 4))
    np.testing.assert_array_equal(turned.labels(wide.T.copy()), wide[2:6, 39_000:39_100].T)


def test_what_lies_beyond_is_grey_and_of_no_class():
    moved = Warp(shifted(-3, -2), (12, 15), fill=90)
    border = ((2, 3), (3, 2))
    np.testing.assert_array_equal(moved.image(IMAGE), np.pad(IMAGE, (*border, (0, 0)), constant_values=90))
    np.testing.assert_array_equal(moved.labels(WEIGHTS), np.pad(WEIGHTS, border))
    shrunk = Warp(about(linear(2, 0, 0, 2), (8, 8), CENTRE), (8, 8), fill=90).image(IMAGE)
    assert (shrunk[[0, 0, -1, -1], [0, -1, 0, -1]] == 90).all()
    assert (shrunk[4, 4] != 90).any()


def blob(point, size, width):
    """A soft dot around a point."""
    y, x = np.mgrid[: size[0], : size[1]]
    dot = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * width**2))
    return np.dstack([np.rint(255 * dot)] * 3).astype("uint8")


def centroid(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image[..., 0].astype("float64")
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("zoom", [0.6, 1.0, 1.8])
def test_points_move_with_the_pixels(seed, zoom):
    rng = np.random.default_rng(seed)
    warp = dataclasses.replace(random_warp(rng, (100, 90), (59.5, 44.5), zoom), fill=0)
    places = rng.uniform((45, 30), (75, 60), (8, 2)).astype("float32")
    moved = warp.points(places)
    assert moved.dtype == np.float32
    whole = ((moved > 8) & (moved < np.array([90, 100]) - 9)).all(axis=1)
    assert whole.sum() > 2
    for place, expected in zip(places[whole], moved[whole], strict=True):
        assert np.abs(centroid(warp.image(blob(place, (90, 120), 1.5 * zoom))) - expected).max() < 0.5


def test_points_of_a_bent_image_are_found_to_a_hundredth_of_a_pixel():
    rng = np.random.default_rng(3)
    warp = random_warp(rng, (120, 160), (80, 60), 0.8)
    where = rng.uniform(5, 110, (50, 2)).astype("float32")  # in the output, whence they came is known
    x, y = (where[:, axis].reshape(1, -1) for axis in (0, 1))
    bent = where + np.stack([cv2.remap(f, x, y, cv2.INTER_LINEAR)[0] for f in warp.displacement], axis=-1)
    came = bent @ warp.matrix[:2, :2].T + warp.matrix[:2, 2]
    np.testing.assert_allclose(warp.points(came), where, atol=0.01)


EXACT = {
    "as it is": np.eye(3),
    "flip": about(linear(-1, 0, 0, 1), (40, 40), (19.5, 19.5)),
    "upside down": about(linear(1, 0, 0, -1), (40, 40), (19.5, 19.5)),
    "turn": about(quarter_turn(1), (40, 40), (19.5, 19.5)),
    "move": shifted(-4, 3),
}


@pytest.mark.parametrize("name", EXACT)
def test_boxes_move_with_what_they_are_around(name):
    warp = Warp(EXACT[name], (40, 40), fill=0)
    mask = np.zeros((40, 40), "uint8")
    mask[10:17, 20:32] = 1  # a box from 20 to 32 and from 10 to 17
    expected = cv2.boundingRect(warp.labels(mask))
    np.testing.assert_allclose(warp.boxes(np.array([[20, 10, 12, 7]], "float32")), [expected], atol=1e-4)


def test_a_box_around_what_is_turned_holds_it():
    turned = Warp(about(linear(0.8, -0.6, 0.6, 0.8), (40, 40), (19.5, 19.5)), (40, 40), fill=0)
    mask = np.zeros((40, 40), "uint8")
    mask[14:21, 15:27] = 1
    ((left, top, width, height),) = turned.boxes(np.array([[15, 14, 12, 7]], "float32"))
    assert width == pytest.approx(0.8 * 12 + 0.6 * 7, abs=1e-4)
    assert height == pytest.approx(0.6 * 12 + 0.8 * 7, abs=1e-4)
    y, x = np.nonzero(turned.labels(mask))
    assert left - 1 < x.min() < left + 1
    assert top - 1 < y.min() < top + 1
    assert left + width - 2 < x.max() < left + width


def test_nobody_and_nothing_can_be_moved():
    field = elastic(RNG.normal(0, 2, (3, 3, 2)), (20, 20))
    for warp in (Warp(np.eye(3), (20, 20)), Warp(np.eye(3), (20, 20), field)):
        assert warp.points(np.zeros((0, 17, 2), "float32")).shape == (0, 17, 2)
        assert warp.boxes(np.zeros((0, 4), "float32")).shape == (0, 4)


def somebody(skeleton=COCO17, count=2, size=(60, 80)):
    """People whose every point is somewhere in the image, part of which is ignored."""
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 1, (count, len(skeleton.points), 2)) * (size[1] - 1, size[0] - 1)
    visible = rng.integers(0, 3, points.shape[:2]).astype("uint8")
    boxes = rng.uniform(5, 30, (count, 4)).astype("float32")
    ignore = np.zeros(size, "uint8")
    ignore[10:20, 30:60] = 1
    areas = np.full(count, 500.0, "float32")
    return People(points.astype("float32"), visible, boxes, areas, skeleton, ignore, boxes[:1] + 3)


@pytest.mark.parametrize("skeleton", [COCO17, COCO18, MPII])
def test_in_a_mirror_left_and_right_change_places(skeleton):
    people = somebody(skeleton)
    mirrored = people.moved(Warp(about(linear(-1, 0, 0, 1), (60, 80), (39.5, 29.5)), (60, 80)))
    for index, name in enumerate(skeleton.points):
        other = name.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
        partner = skeleton.points.index(other)
        reflected = (79, 0) + people.points[:, partner] * (-1, 1)
        np.testing.assert_allclose(mirrored.points[:, index], reflected, atol=1e-4)
        np.testing.assert_array_equal(mirrored.visible[:, index], people.visible[:, partner])
    np.testing.assert_array_equal(mirrored.ignore, people.ignore[:, ::-1])
    np.testing.assert_array_equal(mirrored.areas, people.areas)


@pytest.mark.parametrize("mirror", [linear(-1, 0, 0, 1), linear(1, 0, 0, -1)])
def test_a_mirrored_mirror_image_is_the_same(mirror):
    people, warp = somebody(), Warp(about(mirror, (60, 80), (39.5, 29.5)), (60, 80))
    again = people.moved(warp).moved(warp)
    for name in ("points", "boxes", "areas", "crowds"):
        np.testing.assert_allclose(getattr(again, name), getattr(people, name), atol=1e-4)
    np.testing.assert_array_equal(again.visible, people.visible)
    np.testing.assert_array_equal(again.ignore, people.ignore)
    assert again.points.dtype == again.boxes.dtype == again.areas.dtype == np.float32
    assert again.visible.dtype == np.uint8


def test_a_turn_swaps_no_names():
    people = somebody()
    turned = people.moved(Warp(about(quarter_turn(2), (60, 80), (39.5, 29.5)), (60, 80)))
    np.testing.assert_allclose(turned.points, (79, 59) - people.points, atol=1e-4)
    np.testing.assert_array_equal(turned.visible, people.visible)


def test_points_beyond_the_window_are_not_labelled_any_more():
    people = somebody(count=1)
    people.points[0, :5] = [(9.4, 20), (9.6, 20), (39.4, 20), (39.6, 20), (20, 4.4)]
    people.visible[:] = 2
    moved = people.moved(Warp(shifted(10, 5), (30, 30)))
    assert moved.visible[0, :5].tolist() == [0, 2, 2, 0, 0]
    assert moved.ignore.shape == (30, 30)
    np.testing.assert_array_equal(moved.ignore, people.ignore[5:35, 10:40])


def test_areas_grow_with_the_square_of_the_scale():
    people = somebody()
    larger = people.moved(Warp(about(linear(0.5, 0, 0, 0.5), (120, 160), (39.5, 29.5)), (120, 160)))
    np.testing.assert_allclose(larger.areas, people.areas * 4)
    np.testing.assert_allclose(larger.boxes, people.boxes * 2, atol=1e-4)

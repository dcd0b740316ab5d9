"""Augmentation: sizes, ranges, determinism, exactness, image and truth together."""

import numpy as np
import pydantic
import pytest

from kerazoo.data.augment import Augmentation, augment, random_warp
from kerazoo.data.photometric import color_jitter, colour_matrix, tone_curve
from kerazoo.structures.keypoints import People
from kerazoo.structures.mask import Mask
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import COCO17

EVERYTHING = Augmentation(
    crop=(64, 48), flip=True, flip_vertical=True, quarter_turns=True, rotation=30, scale=(0.5, 2), shear=10,
    elastic=6, brightness=0.1, contrast=0.2, gamma=0.2, saturation=0.3, hue=20, noise=0.05, blur=1.5,
)  # fmt: skip
GEOMETRY = Augmentation(
    crop=(64, 48), flip=True, flip_vertical=True, quarter_turns=True, rotation=30, scale=(0.5, 2), shear=10,
    elastic=6,
)  # fmt: skip


def numbered(height=100, width=120):
    """An image whose red and green tell where a pixel came from."""
    y, x = np.mgrid[:height, :width]
    image = np.dstack([x, y, (x + y) % 256]).astype("uint8")
    return Sample(
        image, Mask((image[..., 2] > 100).astype("uint8"), x.astype("float32") * 256 + y), "numbered"
    )


def same(a, b):
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.truth.labels, b.truth.labels)
        and np.array_equal(a.truth.weights, b.truth.weights)
    )


def test_by_default_nothing_happens():
    sample = numbered()
    assert same(augment(sample, Augmentation(), np.random.default_rng(0)), sample)


def test_the_generator_decides_everything():
    sample = numbered()
    results = [augment(sample, EVERYTHING, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert same(results[0], results[1])
    assert not same(results[0], results[2])
    assert results[0].image.shape == (64, 48, 3)
    assert results[0].image.dtype == results[0].truth.labels.dtype == np.uint8
    assert results[0].truth.weights.shape == results[0].truth.labels.shape == (64, 48)
    assert results[0].name == "numbered"


@pytest.mark.parametrize("seed", range(10))
def test_without_slant_and_zoom_pixels_are_copied(seed):
    """Flips, quarter turns and crops only rearrange; image and truth by the same rearrangement."""
    settings = Augmentation(crop=(30, 44), flip=True, flip_vertical=True, quarter_turns=True)
    moved = augment(numbered(), settings, np.random.default_rng(seed))
    x, y = moved.image[..., 0].astype(int), moved.image[..., 1].astype(int)
    np.testing.assert_array_equal(moved.truth.weights, x * 256 + y)
    np.testing.assert_array_equal(moved.truth.labels, (x + y) % 256 > 100)
    steps = (
        {abs(int(v)) for v in np.unique(np.diff(x, axis=1))},
        {abs(int(v)) for v in np.unique(np.diff(x, axis=0))},
    )
    assert steps in (({1}, {0}), ({0}, {1}))


def test_all_eight_orientations_occur():
    settings = Augmentation(flip=True, flip_vertical=True, quarter_turns=True)
    sample = numbered(20, 20)
    rng = np.random.default_rng(0)
    seen = {augment(sample, settings, rng).image.tobytes() for _ in range(100)}
    assert len(seen) == 8
    wide = {augment(numbered(20, 24), settings, rng).image.shape for _ in range(20)}
    assert wide == {(20, 24, 3)}


@pytest.mark.parametrize("seed", range(10))
def test_the_truth_follows_the_image(seed):
    moved = augment(numbered(), GEOMETRY, np.random.default_rng(seed))
    x, y = np.divmod(moved.truth.weights, 256)
    for channel, axis in ((0, x), (1, y)):
        error = moved.image[..., channel] - axis
        assert np.abs(error).max() <= 2  # nearest against averaged, where the zoom is one half
        assert abs(error.mean()) < 0.1


def test_crops_are_uniform_over_the_image():
    rng, settings = np.random.default_rng(0), Augmentation(crop=(91, 111))
    corners = [tuple(augment(numbered(), settings, rng).image[0, 0, :2]) for _ in range(800)]
    assert set(corners) == {(x, y) for x in range(10) for y in range(10)}


def test_shifts_move_whole_pixels_and_mirror_what_comes_in():
    sample, rng = numbered(20, 30), np.random.default_rng(0)
    padded = np.pad(sample.image, ((4, 4), (4, 4), (0, 0)), mode="reflect")
    places = {}
    for _ in range(400):
        moved = augment(sample, Augmentation(shift=4), rng)
        x, y = moved.image[10, 15, :2].astype(int) - (15, 10)
        places[x, y] = True
        np.testing.assert_array_equal(moved.image, padded[4 + y : 24 + y, 4 + x : 34 + x])
    assert {x for x, _ in places} == {y for _, y in places} == set(range(-4, 5))


def test_parts_of_the_image_have_their_areas_and_aspects():
    settings = Augmentation(crop=(24, 24), area=(0.1, 0.5), aspect=(0.5, 2.0), flip=True)
    rng = np.random.default_rng(0)
    matrices = [random_warp((100, 160), settings, rng).matrix for _ in range(600)]
    sides = np.array([np.abs(np.diag(matrix)[:2]) * 24 for matrix in matrices])
    areas, aspects = sides.prod(axis=1) / 16_000, sides[:, 0] / sides[:, 1]
    assert 0.1 <= areas.min() < 0.11
    assert 0.47 < areas.max() <= 0.5
    assert 0.5 <= aspects.min() < 0.53
    assert 1.9 < aspects.max() <= 2.0
    assert abs(np.log(aspects).mean()) < 0.15  # wide parts fit more often into a wide image
    corners = np.array([[m @ (x, y, 1) for x in (-0.5, 23.5) for y in (-0.5, 23.5)] for m in matrices])
    assert corners[..., :2].min() >= -0.5 - 1e-9
    assert (corners[..., :2].max(axis=(0, 1)) <= (159.5 + 1e-9, 99.5 + 1e-9)).all()
    assert corners[..., :2].min() < 1


def test_a_part_that_cannot_fit_is_cut():
    settings = Augmentation(crop=(24, 24), area=(1.0, 1.0), aspect=(3.0, 3.0))
    matrix = random_warp((50, 50), settings, np.random.default_rng(0)).matrix
    np.testing.assert_allclose(np.diag(matrix)[:2] * 24, (50, np.sqrt(2500 / 3)))
    whole = Augmentation(crop=(100, 120), area=(1.0, 1.0), aspect=(1.2, 1.2))
    assert same(augment(numbered(), whole, np.random.default_rng(0)), numbered())


def test_a_part_turned_by_a_quarter_keeps_its_aspect():
    settings = Augmentation(crop=(10, 40), area=(0.2, 0.2), aspect=(2.0, 2.0), quarter_turns=True)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(20):
        matrix = random_warp((100, 120), settings, rng).matrix[:2, :2]
        turned = abs(matrix[0, 0]) < 1e-9
        seen.add(turned)
        width, height = np.abs(matrix).sum(axis=1) * ((10, 40) if turned else (40, 10))
        assert width / height == pytest.approx(2)
    assert seen == {True, False}


@pytest.mark.parametrize("crop", [None, (40, 52)])
def test_context_surrounds_the_same_window(crop):
    settings = Augmentation(crop=crop, flip=True, rotation=20, scale=(0.8, 1.2))
    plain, wide = (augment(numbered(), settings, np.random.default_rng(3), context=c) for c in (0, 17))
    assert wide.image.shape[:2] == wide.truth.labels.shape == tuple(n + 34 for n in plain.image.shape[:2])
    assert same(Sample(wide.image[17:-17, 17:-17], Mask(*(a[17:-17, 17:-17] for a in (
        wide.truth.labels, wide.truth.weights))), ""), plain)  # fmt: skip


def test_small_images_are_mirrored_and_lie_whole_in_the_window():
    sample, rng = numbered(20, 30), np.random.default_rng(0)
    for _ in range(20):
        image = augment(sample, Augmentation(crop=(50, 70)), rng).image
        assert image.shape == (50, 70, 3)
        assert set(np.unique(image[..., 0])) == set(range(30))
        assert set(np.unique(image[..., 1])) == set(range(20))
    one = Sample(np.full((1, 1, 3), 7, "uint8"), Mask(np.ones((1, 1), "uint8")), "one pixel")
    assert (augment(one, Augmentation(crop=(9, 9), scale=(0.3, 3)), rng).image == 7).all()


def test_zoom_and_turn_stay_in_their_ranges():
    settings = Augmentation(crop=(10, 10), scale=(0.5, 2.0), rotation=15)
    rng = np.random.default_rng(0)
    matrices = np.array([random_warp((100, 100), settings, rng).matrix[:2, :2] for _ in range(500)])
    zooms = 1 / np.sqrt(np.linalg.det(matrices))
    assert 0.5 <= zooms.min() < 0.52
    assert 1.95 < zooms.max() <= 2.0
    assert abs(np.log(zooms).mean()) < 0.06  # as often enlarged as shrunk
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 14 < np.abs(angles).max() <= 15


def test_elastic_displacements_have_their_standard_deviation():
    rng = np.random.default_rng(0)
    fields = [random_warp((65, 65), Augmentation(elastic=10.0), rng).displacement for _ in range(300)]
    nodes = np.array([field[:, ::32, ::32] for field in fields])
    assert nodes.shape == (300, 2, 3, 3)
    assert abs(nodes.std() - 10) < 0.3
    assert abs(nodes.mean()) < 0.3


def standing(boxes, size=(100, 120)):
    """People of whom only their boxes matter, in an image that is white in the first one's."""
    boxes = np.array(boxes, "float32").reshape(-1, 4)
    image = np.zeros((*size, 3), "uint8")
    for left, top, width, height in boxes[:1].astype(int):
        image[top : top + height, left : left + width] = 255
    points = np.zeros((len(boxes), 17, 2), "float32")
    visible = np.full((len(boxes), 17), 2, "uint8")
    return Sample(image, People(points, visible, boxes, boxes[:, 2], COCO17), "standing")


@pytest.mark.parametrize("box", [(40, 20, 10, 50), (70, 80, 45, 15)])
@pytest.mark.parametrize("turns", [False, True])
def test_focus_brings_a_box_to_the_middle_and_to_its_share(box, turns):
    settings = Augmentation(crop=(64, 48), focus=0.5, fill=128, quarter_turns=turns)
    rng = np.random.default_rng(0)
    for _ in range(4):
        moved = augment(standing([box]), settings, rng)
        ((left, top, width, height),) = moved.truth.boxes
        assert (left + width / 2, top + height / 2) == pytest.approx((24, 32), abs=1e-3)
        assert max(width / 48, height / 64) == pytest.approx(0.5, abs=1e-3)
        y, x = np.nonzero(moved.image[..., 0] > 191)
        edges = x.min(), y.min(), x.max() + 1, y.max() + 1
        np.testing.assert_allclose(edges, (left, top, left + width, top + height), atol=1.5)


def test_focus_draws_one_box_and_zoom_and_shift_come_on_top():
    rng, boxes = np.random.default_rng(0), [(10, 20, 10, 40), (80, 20, 10, 40)]
    settings = Augmentation(crop=(64, 64), focus=0.5, scale=(0.5, 2.0), shift=6)
    warps = [augment(standing(boxes), settings, rng).truth.boxes for _ in range(300)]
    middles = np.array([np.abs(each[:, :2] + each[:, 2:] / 2 - 32).max(axis=1) for each in warps])
    assert middles.min(axis=1).max() <= 6 + 1e-3  # one of the two is where it belongs, up to the shift
    assert middles.min(axis=1).max() > 5
    assert 100 < (middles.argmin(axis=1) == 0).sum() < 200
    heights = np.array([each[0, 3] for each in warps])
    assert 16 <= heights.min() < 17
    assert 62 < heights.max() <= 64


def test_where_nobody_is_focus_cuts_anywhere():
    settings = Augmentation(crop=(30, 40), focus=0.6, flip=True)
    moved = augment(standing([]), settings, np.random.default_rng(0))
    assert moved.image.shape == (30, 40, 3)
    assert not moved.truth.boxes.size
    plain = augment(numbered(), settings, np.random.default_rng(0))  # a mask has no boxes
    assert set(np.unique(np.diff(plain.image[0, :, 0].astype(int)))) <= {1, -1}


def test_beyond_the_image_is_the_grey_that_was_asked_for():
    settings = Augmentation(crop=(50, 70), fill=77)
    moved = augment(numbered(20, 30), settings, np.random.default_rng(0))
    inside = moved.image[..., 2] == moved.image[..., 0] + moved.image[..., 1]
    assert inside.sum() == 600
    assert (moved.image[~inside] == 77).all()
    assert not moved.truth.labels[~inside].any()


def test_light_changes_are_what_they_say():
    np.testing.assert_array_equal(tone_curve(0, 0, 0), np.arange(256))
    np.testing.assert_array_equal(tone_curve(0.2, 0, 0)[:204], np.arange(256)[:204] + 51)
    assert tone_curve(0, np.log(2), 0, middle=100)[110] == 120
    assert tone_curve(0, 0, np.log(2))[128] == round((128 / 255) ** 2 * 255)
    grey = np.full(3, 80.0)
    np.testing.assert_allclose(colour_matrix(1.7, 2.0) @ grey, grey)
    np.testing.assert_allclose(colour_matrix(1, np.radians(120)) @ [255, 0, 0], [0, 255, 0], atol=1e-9)
    np.testing.assert_allclose(colour_matrix(0, 0) @ [255, 0, 0], [76.245] * 3)


def test_noise_and_blur_do_what_they_say():
    flat, rng = np.full((200, 200, 3), 128, "uint8"), np.random.default_rng(0)
    deviations = [color_jitter(flat, Augmentation(noise=0.1), rng).std() for _ in range(40)]
    assert 20 < max(deviations) < 27
    assert min(deviations) < 5
    grain = color_jitter(flat, Augmentation(noise=0.1), rng)
    assert (grain[..., 0] == grain[..., 2]).all()  # a grey image stays grey
    assert color_jitter(grain, Augmentation(blur=3.0), rng).std() < grain.std() / 2


def test_light_leaves_the_truth_alone_and_wrong_strengths_are_refused():
    sample = numbered()
    lit = augment(
        sample, Augmentation(brightness=0.3, contrast=0.5, hue=90, saturation=1), np.random.default_rng(0)
    )
    assert not np.array_equal(lit.image, sample.image)
    assert lit.truth.labels.tobytes() == sample.truth.labels.tobytes()
    for wrong in (
        {"scale": (2, 1)},
        {"scale": (0, 1)},
        {"noise": -1},
        {"crop": (0, 5)},
        {"hue": 400},
        {"flop": True},
        {"area": (0.1, 0.5)},
        {"area": (0, 0.5), "crop": (8, 8)},
        {"area": (0.5, 0.2), "crop": (8, 8)},
        {"aspect": (2, 1), "crop": (8, 8)},
        {"area": (0.1, 0.5), "scale": (0.5, 1), "crop": (8, 8)},
        {"focus": 0.5},
        {"focus": 0.5, "area": (0.1, 0.5), "crop": (8, 8)},
        {"fill": 256},
    ):
        with pytest.raises(pydantic.ValidationError):
            Augmentation(**wrong)

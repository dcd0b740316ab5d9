"""Truth into maps and back into people; others' targets and parsers on real maps."""

import json

import numpy as np
import pytest

from kerazoo.families.openpose.codec import targets
from kerazoo.families.openpose.grouping import assembled, people
from kerazoo.families.openpose.parser import PRESETS, Parser
from kerazoo.families.openpose.peaks import MOST, peaks
from kerazoo.structures.keypoints import People
from kerazoo.structures.skeleton import COCO17, COCO18, MPII, Skeleton
from tests.conftest import SHARED
from tests.scenes import compared, scene

GOLDEN = SHARED / "parity" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="needs the golden outputs in KERAZOO_SHARED")


def truth(points, visible=None, skeleton=COCO18, ignore=None):
    points = np.asarray(points, "float32")
    visible = np.full(points.shape[:2], 2, "uint8") if visible is None else visible
    zeros = np.zeros((len(points), 4), "float32")
    return People(points, visible, zeros, zeros[:, 0], skeleton, ignore=ignore)


@needs_golden
@pytest.mark.parametrize(("mode", "theirs"), [("paper", "paper"), ("mixed", "mixed"), ("published", "code")])
@pytest.mark.parametrize("case", ["197388", "196141", "197388_crowd"])
def test_targets_are_those_of_the_paper_and_of_the_published_code(case, mode, theirs):
    described = json.loads((GOLDEN / "pose_targets.json").read_text())["cases"][case]
    with np.load(GOLDEN / f"pose_targets.{case}.npz") as arrays:
        points = arrays["keypoints"]
        parts = {"heatmaps": "heat", "fields": "paf"}
        expected = {name: arrays[f"{theirs}_{part}"] for name, part in parts.items()}
    size = tuple(side // 8 for side in described["input_hw"])
    found = targets(truth(points[..., :2], (points[..., 2] > 0).astype("uint8")), size, mode=mode)
    for name, maps in expected.items():
        np.testing.assert_allclose(found[name].transpose(2, 0, 1), maps, atol=3e-6)


@needs_golden
@pytest.mark.parametrize("image", ["p1", "p2", "p3", "ski"])
@pytest.mark.parametrize(
    ("preset", "case", "cell"),
    [
        ("lightweight", "lightweight_x1", 8),
        ("lightweight", "lightweight_x4", 2),
        ("tf-pose", "pafprocess_x1_unsmoothed", 8),
    ],
)
def test_real_maps_hold_the_people_that_the_published_parsers_find(image, preset, case, cell):
    """Theirs are whole cells; of maps enlarged four times (x4), they are where ours are between cells."""
    expected = json.loads((GOLDEN / "tf_pose_parse.json").read_text())["images"][image][case]["people"]
    with np.load(GOLDEN / f"tf_pose_v2small.{image}.npz") as arrays:
        found = people(arrays["heat"], arrays["paf"], COCO18, PRESETS[preset])
    assert len(found.points) == len(expected)
    taken = set()
    for person in expected:
        theirs = np.array([point or [np.nan] * 3 for point in person["keypoints"]])
        there = ~np.isnan(theirs[:, 0])
        apart = np.abs(found.points[..., :2] - (theirs[:, :2] * cell + (cell - 1) / 2)).max(axis=-1)
        both = (found.points[..., 2] > 0) & there
        best = (both & (apart <= 8)).sum(axis=1).argmax()
        taken.add(best)
        assert both[best].sum() >= there.sum() - 1
        assert apart[best][both[best]].max() <= 8
        if cell == 8:
            np.testing.assert_allclose(found.points[best, both[best], 2], theirs[both[best], 2], atol=1e-5)
        else:
            assert np.median(apart[best][both[best]]) < 1
    assert len(taken) == len(expected)


@pytest.mark.parametrize("skeleton", [COCO17, COCO18, MPII], ids=["coco17", "coco18", "mpii"])
def test_random_scenes_come_back(skeleton):
    rng = np.random.default_rng(0)
    apart, together = [], []
    for _ in range(60):
        drawn = scene(rng, skeleton)
        maps = targets(drawn, (46, 46))
        found = people(maps["heatmaps"], maps["fields"], skeleton, Parser())
        right, touching, _ = compared(drawn, found)
        apart += right[~touching].tolist()
        together += right[touching].tolist()
    assert min(len(apart), len(together)) > 200
    assert np.mean(apart) == 1
    assert np.mean(together) >= 0.98


def test_a_point_at_the_border_is_found_to_a_pixel():
    points = np.random.default_rng(3).uniform(20, 70, (1, 18, 2))
    points[0, :4] = (0.4, 30), (95.4, 50), (40, -0.3), (60, 95.2)
    maps = targets(truth(points), (12, 12))
    found = people(maps["heatmaps"], maps["fields"], COCO18, Parser(peak=0.05))
    best = found.points[(found.points[..., 2] > 0).sum(axis=1).argmax()]
    got = best[:, 2] > 0
    assert got[:4].any()
    assert np.abs(best[got, :2] - points[0, got]).max() < 1


def blobs(places, sigma):
    """Return one heat map `(24, 24, 1)` of the maximum of Gaussians, all in cells."""
    y, x = np.indices((24, 24))
    squares = [(x - place[0]) ** 2 + (y - place[1]) ** 2 for place in places]
    return np.exp(-np.min(squares, axis=0) / (2 * sigma**2))[..., None].astype("float32")


@pytest.mark.parametrize("sigma", [0.6, 0.875, 1.2, 2.0])
def test_peaks_are_between_cells_whatever_their_width(sigma):
    """A network's blobs are wider than those that it was taught."""
    for place in np.random.default_rng(0).uniform(2, 21, (50, 2)):
        (found,) = peaks(0.7 * blobs([place], sigma), Parser(), 0.875)
        np.testing.assert_allclose(found, [[*place, found[0, 2]]], atol=0.01)


@pytest.mark.parametrize("way", [(1.6, 0.0), (0.0, -1.6), (1.1, 1.1), (-1.3, 1.0)])
def test_two_points_a_cell_and_a_half_apart_are_two_peaks(way):
    """Also where the lower one is in a cell that is lower than its neighbour."""
    for place in np.random.default_rng(1).uniform(6, 18, (200, 2)):
        pair = np.stack([place, place + way])
        (found,) = peaks(blobs(pair, 0.875), Parser(), 0.875)
        assert len(found) == 2
        apart = np.linalg.norm(found[:, None, :2] - pair, axis=-1)
        assert apart.min(axis=0).max() < 0.1


def test_equal_cells_are_one_peak():
    (found,) = peaks(blobs([(10.5, 12.5)], 0.875), Parser(), 0.875)
    np.testing.assert_allclose(found[:, :2], [(10.5, 12.5)], atol=1e-3)


def test_maps_of_noise_keep_the_highest_peaks_alone():
    noise = np.random.default_rng(0).uniform(0, 1, (80, 80, 2)).astype("float32")
    for found in peaks(noise, Parser(), 0.875):
        assert len(found) == MOST
        assert (np.diff(found[:, 2]) <= 0).all()
        assert found[-1, 2] > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 2)])
def test_the_smallest_maps(size):
    found = peaks(np.full((*size, 3), 0.5, "float32"), Parser(), 0.875)
    assert [len(some) for some in found] == [1, 1, 1]
    assert np.isfinite(found).all()


def test_heat_maps_keep_the_maximum_and_fields_the_mean():
    points = np.zeros((2, 18, 2))
    points[:, 1], points[:, 8] = ((20, 20), (24, 20)), ((20, 60), (60, 60))
    visible = np.zeros((2, 18), "uint8")
    visible[:, [1, 8]] = 2
    maps, summed = (targets(truth(points, visible), (12, 12), mode=mode) for mode in ("capsule", "published"))
    alone = [targets(truth(points[[i]], visible[[i]]), (12, 12)) for i in (0, 1)]
    np.testing.assert_allclose(
        maps["heatmaps"][..., 1], np.maximum(*(one["heatmaps"][..., 1] for one in alone)), atol=1e-6
    )
    covered = [np.linalg.norm(one["fields"][..., :2], axis=-1) > 0 for one in alone]
    both = covered[0] & covered[1]
    assert both.any()
    mean = (alone[0]["fields"] + alone[1]["fields"])[..., :2] / 2
    np.testing.assert_allclose(maps["fields"][..., :2][both], mean[both], atol=1e-6)
    assert (summed["heatmaps"][..., 1] > maps["heatmaps"][..., 1] + 0.1).any()
    assert summed["heatmaps"].max() <= 1


def test_what_is_silent_weighs_nothing():
    ignore = np.zeros((96, 96), "uint8")
    ignore[:16, :12] = 1
    weights = targets(truth(np.full((1, 18, 2), 50.0), ignore=ignore), (12, 12))["weights"]
    assert weights[:2, 0].max() == 0
    assert weights[0, 1] == pytest.approx(0.5)
    assert weights[2:].min() == 1


def test_no_people_and_empty_maps():
    maps = targets(truth(np.zeros((0, 18, 2))), (6, 8))
    assert maps["heatmaps"][..., :-1].max() == 0
    assert maps["heatmaps"][..., -1].min() == 1
    assert people(maps["heatmaps"], maps["fields"], COCO18, Parser()).points.shape == (0, 18, 3)


def test_two_halves_become_one_person_and_strangers_do_not():
    chain = Skeleton(points=("a", "b", "c", "d"), limbs=((0, 1), (2, 3), (1, 2)))
    halves = {0: [(0, 0, 1.0)], 1: [(0, 0, 1.0)], 2: [(0, 0, 0.9)]}
    assert [group[0] for group in assembled(halves, chain)] == [{0: 0, 1: 0, 2: 0, 3: 0}]
    loop = Skeleton(points=("a", "b", "c"), limbs=((0, 1), (0, 2), (1, 2)))
    strangers = {0: [(0, 0, 1.0), (1, 1, 1.0)], 1: [(0, 0, 1.0), (1, 1, 1.0)], 2: [(0, 1, 0.5)]}
    assert [group[0] for group in assembled(strangers, loop)] == [{0: 0, 1: 0, 2: 0}, {0: 1, 1: 1, 2: 1}]


def test_bridges_begin_nobody():
    skeleton = Skeleton(points=("a", "b"), limbs=((0, 1),), bridges=(0,))
    assert assembled({0: [(0, 0, 1.0)]}, skeleton) == []


def test_adaptive_samples_equal_fixed_ones_on_clean_lines():
    drawn = scene(np.random.default_rng(5), COCO18, people=(1, 1))
    maps = targets(drawn, (46, 46))
    parsers = Parser(samples=(10, 10)), Parser(samples=(5, 25))
    fixed, adaptive = (people(maps["heatmaps"], maps["fields"], COCO18, parser) for parser in parsers)
    np.testing.assert_array_equal(fixed.points, adaptive.points)


LIMB = Skeleton(points=("a", "b"), limbs=((0, 1),))


def limb(field, heights=(1.0, 1.0), **settings):
    """Return the people of two peaks, 18 cells apart, on whose ten samples the field is as given."""
    heatmaps, fields = np.zeros((9, 24, 3), "float32"), np.zeros((9, 24, 2), "float32")
    heatmaps[4, 2, 0], heatmaps[4, 20, 1] = heights
    fields[4, 2 : 2 + 2 * len(field) : 2, 0] = field
    parser = Parser(**{"least_points": 2, "least_score": 0.0} | settings)
    return people(heatmaps, fields, LIMB, parser)


@pytest.mark.parametrize(("share", "least"), [(0.8, 8), (0.65, 7), (0.95, 10), (0.1, 1), (1.0, 10)])
def test_a_limb_needs_its_share_of_samples_that_agree(share, least):
    assert len(limb([1.0] * least, share=share).points) == 1
    assert len(limb([1.0] * (least - 1), share=share).points) == 0


def test_a_sample_agrees_above_the_threshold():
    assert len(limb([0.5] * 10, agreement=0.49).points) == 1
    assert len(limb([0.5] * 10, agreement=0.5).points) == 0
    assert len(limb([-1.0] * 10).points) == 0


def test_a_persons_score_is_a_share_of_the_most_there_can_be():
    assert limb([1.0] * 10).scores == pytest.approx([1.0])
    assert limb([0.5] * 10, heights=(0.4, 0.6)).scores == pytest.approx([(0.4 + 0.6 + 0.5) / 3])
    half = [1.0] * 5, {"share": 0.4}
    assert limb(half[0], **half[1]).scores == pytest.approx([2.5 / 3])
    assert limb(half[0], counted="agreeing", **half[1]).scores == pytest.approx([1.0])


def test_lines_longer_than_half_the_height_lose_score():
    """9 rows: of a line of 18 cells half the height is a quarter."""
    assert limb([1.0] * 10, half_height=True).scores == pytest.approx([2.25 / 3])
    assert limb([0.75] * 10, half_height=True).scores.size == 0  # a limb of no score is none
    assert limb([0.76] * 10, half_height=True).scores == pytest.approx([2.01 / 3])


def test_people_need_points_and_score():
    assert len(limb([1.0] * 10, least_points=3).points) == 0
    assert len(limb([1.0] * 10, least_score=1.5).points) == 1
    assert len(limb([1.0] * 10, least_score=1.51).points) == 0


def test_points_are_in_input_pixels_and_what_is_missing_is_zero():
    (person,) = limb([1.0] * 10).points
    np.testing.assert_allclose(person, [[19.5, 35.5, 1.0], [163.5, 35.5, 1.0]], atol=1e-5)
    three = Skeleton(points=("a", "b", "c"), limbs=((0, 1), (1, 2)))
    heatmaps, fields = np.zeros((9, 24, 4), "float32"), np.zeros((9, 24, 4), "float32")
    heatmaps[4, 2, 0] = heatmaps[4, 20, 1] = 1.0
    fields[4, 2:21, 0] = 1.0
    found = people(heatmaps, fields, three, Parser(least_points=2), stride=4)
    np.testing.assert_allclose(found.points, [[[9.5, 17.5, 1], [81.5, 17.5, 1], [0, 0, 0]]], atol=1e-5)
    assert found.scores == pytest.approx([3 / 5])


def test_samples_of_a_line_grow_with_the_root_of_its_length():
    """18 cells of 8 pixels: the root of 720 is 26.8; of 2 cells 8.9."""
    for samples, expected in (((5, 25), 25), ((5, 40), 27), ((30, 40), 30)):
        heatmaps, fields = np.zeros((9, 24, 3), "float32"), np.zeros((9, 24, 2), "float32")
        heatmaps[4, 2, 0] = heatmaps[4, 20, 1] = 1.0
        fields[4, 2:12, 0] = 1.0
        parser = Parser(least_points=2, least_score=0.0, samples=samples, share=0.3)
        cells = np.rint(2 + 18 * np.arange(expected) / (expected - 1)).astype(int)
        share = (cells < 12).mean()
        assert people(heatmaps, fields, LIMB, parser).scores == pytest.approx([(2 + share) / 3])


def test_the_best_person_comes_first():
    heatmaps, fields = np.zeros((12, 24, 3), "float32"), np.zeros((12, 24, 2), "float32")
    for row, height in ((2, 0.5), (6, 1.0), (10, 0.7)):
        heatmaps[row, 2, 0] = heatmaps[row, 20, 1] = height
        fields[row, :, 0] = height
    found = people(heatmaps, fields, LIMB, Parser(least_points=2))
    np.testing.assert_allclose(found.scores, [1.0, 0.7, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.points[:, 0, 1], [51.5, 83.5, 19.5])


def test_samples_are_at_least_two():
    with pytest.raises(ValueError, match="samples"):
        Parser(samples=(1, 1))


def test_the_papers_fields_reach_from_end_to_end():
    """From cell 1 to cell 5; both ends count (section 2.3: 0 <= v . (p - x_1) <= l)."""
    for turned in (False, True):
        ends = np.array([[[11.5, 19.5], [43.5, 19.5]]])
        fields = targets(truth(ends[..., ::-1] if turned else ends, skeleton=LIMB), (8, 8), mode="paper")[
            "fields"
        ]
        along = fields[:, 2, 1] if turned else fields[2, :, 0]
        assert along.tolist() == [0, 1, 1, 1, 1, 1, 0, 0]


def test_a_capsule_holds_what_is_as_far_as_its_half_width():
    """One cell of 8 pixels, beside the limb from cell 1 to cell 5 and beyond its ends."""
    limb = truth([[[11.5, 19.5], [43.5, 19.5]]], skeleton=LIMB)
    fields = targets(limb, (5, 8), half_width=8.0, mode="capsule")["fields"][..., 0]
    expected = np.zeros((5, 8))
    expected[1:4, 1:6] = expected[2, :7] = 1
    np.testing.assert_array_equal(fields, expected)


def test_the_published_gaussian_is_cut_to_whole_cells():
    """It looks at pixels from 17 - 4 sigma = 9 on, and so at cell 1, in the middle of which is 11.5."""
    heatmaps = targets(
        truth([[[17.0, 17.0], [17.0, 17.0]]], skeleton=LIMB), (6, 6), sigma=2.0, mode="published"
    )["heatmaps"]
    assert heatmaps[2, 1, 0] == pytest.approx(np.exp(-(5.5**2 + 2.5**2) / 8), rel=1e-5)
    assert heatmaps[2, 0, 0] == 0


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("turned", [False, True])
def test_peaks_two_cells_apart_are_no_neighbours(neighbours, turned):
    maps = np.zeros((9, 9, 1), "float32")
    maps[4, 2, 0], maps[4, 3, 0], maps[4, 4, 0] = 0.9, 0.2, 0.5
    (found,) = peaks(maps.transpose(1, 0, 2) if turned else maps, Parser(neighbours=neighbours), 0.5)
    assert len(found) == 2


def test_a_peak_of_smoothed_maps_stays_in_its_cell():
    """Beside it, the map itself is higher: the parabola's top is farther than half a cell."""
    row = np.array([0.3, 0.7, 0.6, 0.9, 0.4, 0.4, 0.3], "float32")
    for values, expected in ((row, 1.5), (row[::-1], 4.5)):
        maps = np.zeros((7, 7, 1), "float32")
        maps[3, :, 0] = values
        (found,) = peaks(maps, Parser(smoothing=1.0), 1.0)
        assert found[0, 0] == expected


def test_a_limb_along_the_last_row_and_column():
    for turned in (False, True):
        heatmaps, fields = np.zeros((9, 24, 3), "float32"), np.zeros((9, 24, 2), "float32")
        heatmaps[8, 2, 0] = heatmaps[8, 20, 1] = 1.0
        fields[8, :, 0] = 1.0
        if turned:
            heatmaps, fields = heatmaps.transpose(1, 0, 2), fields.transpose(1, 0, 2)[..., ::-1]
        assert len(people(heatmaps, fields, LIMB, Parser(least_points=2)).points) == 1

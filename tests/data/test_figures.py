"""Drawn people: the same for the same seed, points where the image shows them, and what hides them."""

import time

import numpy as np
import pydantic
import pytest

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.generated.bodies import SIDES, random_mannequin
from kerazoo.data.generated.clothing import limb_parts, random_outfit
from kerazoo.data.generated.figures import POINTS, SMALLEST, draw_figures
from kerazoo.data.generated.sources import Figures
from kerazoo.data.keypoints.windows import Windows
from kerazoo.errors import UserError
from kerazoo.structures.skeleton import COCO17, COCO18, FACE68, MPII

SIZE = (192, 256)


def drawn(seed, count=3, size=SIZE):
    return draw_figures(np.random.default_rng(seed), size, count)


@pytest.fixture(scope="module")
def many():
    return [drawn(seed, 1 + seed % 4) for seed in range(60)]


def test_the_seed_decides_everything():
    for one, other, another in zip(drawn(3), drawn(3), drawn(4), strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, another)


def test_shapes_and_ranges(many):
    for number, (image, points, visible, boxes, areas) in enumerate(many):
        count = 1 + number % 4
        assert image.shape == (*SIZE, 3)
        assert points.shape == (count, len(POINTS), 2)
        assert visible.shape == (count, len(POINTS))
        assert (image.dtype, visible.dtype) == ("uint8", "uint8")
        assert points.dtype == boxes.dtype == areas.dtype == "float32"
        assert set(np.unique(visible)) <= {0, 1, 2}
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= SIZE[::-1]).all()
        assert (areas <= boxes[:, 2:].prod(axis=1)).all()
        assert (areas > 0.1 * boxes[:, 2:].prod(axis=1)).all()


def test_labelled_points_are_in_the_image_and_on_the_person(many):
    for _, points, visible, boxes, _ in many:
        for person, seen, (left, top, width, height) in zip(points, visible, boxes, strict=True):
            inside = person[seen > 0]
            assert (inside >= -0.5).all()
            assert (inside < np.array(SIZE[::-1]) - 0.5).all()
            assert (inside >= np.array([left, top]) - 1.5).all()
            assert (inside <= np.array([left + width, top + height]) + 0.5).all()


def test_all_kinds_of_people_occur(many):
    points = np.concatenate([image.points for image in many])[:, : len(COCO17.points)]
    visible = np.concatenate([image.visible for image in many])[:, : len(COCO17.points)]
    boxes = np.concatenate([image.boxes for image in many])
    shares = [(visible == state).mean() for state in (0, 1, 2)]
    assert 0.05 < shares[0] < 0.35  # beyond the image, far sides of heads
    assert 0.03 < shares[1] < 0.35
    assert shares[2] > 0.5
    assert ((visible > 0).sum(axis=1) >= 5).mean() > 0.95
    tall = boxes[:, 2:].max(axis=1)
    assert 0.7 * SMALLEST < tall.min() < 1.3 * SMALLEST
    assert tall.max() > 160
    left, right = (points[:, POINTS.index(f"{side}_shoulder"), 0] for side in SIDES)
    assert 0.55 < (left > right).mean() < 0.9  # most face the viewer, many do not
    nose = visible[:, 0] > 0
    assert 0.5 < nose.mean() < 0.95


def test_people_stand_before_one_another_and_yet_are_to_be_seen(many):
    hidden = [(image.visible == 1).sum(axis=1) for image in many if len(image.points) > 1]
    alone = [(image.visible == 1).sum(axis=1) for image in many if len(image.points) == 1]
    assert np.concatenate(hidden).mean() > np.concatenate(alone).mean()
    seen = np.concatenate([(image.visible == 2).sum(axis=1) for image in many])
    assert (seen >= 4).mean() > 0.9


@pytest.mark.parametrize("seed", range(20))
def test_bodies_have_a_persons_proportions(seed):
    joints = random_mannequin(np.random.default_rng(seed)).joints

    def length(start, end):
        return np.linalg.norm(joints[start] - joints[end])

    for side in SIDES:
        thigh, shank = length(f"{side}_hip", f"{side}_knee"), length(f"{side}_knee", f"{side}_ankle")
        upper, fore = length(f"{side}_shoulder", f"{side}_elbow"), length(f"{side}_elbow", f"{side}_wrist")
        assert thigh == pytest.approx(shank)
        assert 0.2 < thigh < 0.29
        assert 0.5 < (upper + fore) / (thigh + shank) < 0.8
        assert 0.8 < fore / upper < 1
    assert length("left_hip", "left_knee") == pytest.approx(length("right_hip", "right_knee"))
    assert 1.3 < length("left_shoulder", "right_shoulder") / length("left_hip", "right_hip") < 1.9


def test_knees_bend_backward():
    for seed in range(30):
        body = random_mannequin(np.random.default_rng(seed))
        across = body.joints["left_hip"] - body.joints["right_hip"]
        for side in SIDES:
            thigh = body.joints[f"{side}_knee"] - body.joints[f"{side}_hip"]
            shank = body.joints[f"{side}_ankle"] - body.joints[f"{side}_knee"]
            assert np.cross(thigh, shank) @ across < 1e-6


def test_points_are_exactly_where_limbs_are_joined():
    """A wrist is in the middle of the disc in which the forearm ends, in pixels."""
    from kerazoo.data.generated.bodies import Figure

    rng = np.random.default_rng(0)
    for _ in range(5):
        figure = Figure(random_mannequin(rng), 300.0, np.array([100.0, 200.0]))
        parts = {part.name: part for part in limb_parts(figure, random_outfit(rng), np.zeros(2)) if part.name}
        for side in SIDES:
            outline = parts[f"{side} forearm"].outline
            ends = [figure.to_pixels(figure.body.joints[f"{side}_{joint}"]) for joint in ("elbow", "wrist")]
            near = [np.linalg.norm(outline - end, axis=1) for end in ends]
            radii = 300 * figure.body.stout * np.array([0.028, 0.02])
            np.testing.assert_allclose(near[0][:7], radii[0])
            np.testing.assert_allclose(near[1][7:], radii[1])


def test_drawing_is_quick():
    drawn(0)
    start = time.process_time()
    for seed in range(20):
        drawn(seed)
    assert (time.process_time() - start) / 20 < 0.03  # 4 ms on a machine that does nothing else


@pytest.mark.parametrize("skeleton", [COCO17, COCO18, MPII])
def test_figures_as_a_source(skeleton):
    source = Figures(train=6, validation=3, test=2, skeleton=skeleton)
    samples = [source.samples(split) for split in ("train", "val", "test")]
    assert [len(part) for part in samples] == [6, 3, 2]
    assert len({sample.image.tobytes() for part in samples for sample in part}) == 11
    assert {sample.truth.image for sample in samples[0]} == set(range(1, 7))
    assert source.class_names() == skeleton.points
    assert all(1 <= len(sample.truth.points) <= 4 for sample in samples[0])
    assert all(sample.truth.points.shape[1] == len(skeleton.points) for sample in samples[0])
    assert (np.concatenate([sample.truth.visible for sample in samples[0]]) > 0).any(axis=0).all()
    many = Figures(train=60, skeleton=skeleton).samples("train")
    np.testing.assert_array_equal(many[5].image, samples[0][5].image)
    assert settings.from_plain(settings.to_plain(source)) == source


def test_the_neck_lies_between_the_shoulders():
    truth = Figures(train=1, skeleton=COCO18).samples("train")[0].truth
    ends = truth.points[:, COCO18.indices(("left_shoulder", "right_shoulder"))]
    np.testing.assert_allclose(truth.points[:, COCO18.points.index("neck")], ends.mean(axis=1), atol=1e-4)


def test_the_check_counts_people():
    report = check(Figures(train=4, validation=1, test=0, people=(2, 2), size=96))
    assert report.tally == {"people": 10, "crowds": 0}
    assert report.sizes["largest"] == (96, 96)
    assert not report.problems


def test_figures_that_cannot_be():
    with pytest.raises(UserError, match="have no point 'landmark0'"):
        Figures(skeleton=FACE68).samples("train")
    for wrong in ({"people": (3, 2)}, {"people": (0, 1)}, {"people": (1, 99)}, {"size": 8}):
        with pytest.raises(pydantic.ValidationError):
            Figures(**wrong)


def test_everybody_gets_a_window():
    source = Figures(train=5, validation=3, people=(1, 3), windows=Windows(aspect=0.75, margin=1.25))
    whole = Figures(train=5, validation=3, people=(1, 3))
    for split, larger in (("train", 2), ("val", 1)):
        whole_images, windows = whole.samples(split), source.samples(split)
        assert len(windows) == sum(len(sample.truth.points) for sample in whole_images)
        numbers = [(p, n) for p, sample in enumerate(whole_images) for n in range(len(sample.truth.points))]
        for (index, person), (image, truth, _) in zip(numbers, windows, strict=True):
            everybody = whole_images[index].truth
            assert truth.image == everybody.image
            *_, width, height = everybody.boxes[person]
            tall = 1.25 * larger * max(height, width / 0.75)
            np.testing.assert_allclose(image.shape[:2], (tall, 0.75 * tall), atol=0.51)
            wanted = everybody.points[[person]] if split == "train" else everybody.points
            np.testing.assert_allclose(truth.points + np.array(truth.origin), wanted, atol=1e-4)
            left, top = map(int, truth.origin)
            inner = image[max(-top, 0) :, max(-left, 0) :]
            part = whole_images[index].image[max(top, 0) :, max(left, 0) :]
            rows, columns = (min(a, b) for a, b in zip(inner.shape[:2], part.shape[:2], strict=True))
            np.testing.assert_array_equal(inner[:rows, :columns], part[:rows, :columns])
            assert (image[: max(-top, 0)] == 127).all()

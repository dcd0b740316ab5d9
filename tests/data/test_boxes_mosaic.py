"""Mosaic and mixup: pixels and boxes together, and the batch at a step depends on the step alone."""

import numpy as np
import pydantic
import pytest

from kerazoo.data.augment import Augmentation
from kerazoo.data.generated.sources import Scenes
from kerazoo.data.loader import stream
from kerazoo.data.mosaic import combine, mix, mosaic
from kerazoo.structures.boxes import Boxes
from kerazoo.structures.label import Label
from kerazoo.structures.sample import Sample
from tests.refusals import refusal

SIZE = 40, 60
GEOMETRY = Augmentation(crop=SIZE, flip=True, scale=(0.7, 1.4), fill=114, mosaic=1.0, mixup=0.5)


def marked(number, *boxes):
    """An image of grey `10 * number` with white boxes."""
    image = np.full((*SIZE, 3), 10 * number, "uint8")
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    flags = np.zeros(len(boxes), bool)
    edges = np.array(boxes, "float32").reshape(-1, 4)
    return Sample(
        image, Boxes(edges, np.full(len(boxes), number, "int32"), flags, flags, SIZE, number), str(number)
    )


def four():
    return [marked(1, (50, 32, 60, 40)), marked(2, (0, 32, 10, 40)), marked(3, (55, 0, 60, 8)), marked(4)]


@pytest.mark.parametrize("seed", range(10))
def test_a_mosaic_shows_what_lies_at_the_corner_where_its_parts_meet(seed):
    found = mosaic(four(), np.random.default_rng(seed))
    grey = found.image[..., 0]
    assert [grey[0, 0], grey[0, -1], grey[-1, 0], grey[-1, -1]] == [10, 20, 30, 40]
    boxes = {
        int(label): box for label, box in zip(found.truth.labels, found.truth.boxes.astype(int), strict=True)
    }
    x, y = boxes[1][2:]
    assert 0.2 * 60 - 1 <= x <= 0.8 * 60 + 1
    assert 0.2 * 40 - 1 <= y <= 0.8 * 40 + 1
    expected = {1: [x - 10, y - 8, x, y], 2: [x, y - 8, x + 10, y], 3: [x - 5, y, x, y + 8]}
    assert {label: box.tolist() for label, box in boxes.items()} == expected
    white = np.zeros(SIZE, bool)
    for left, top, right, bottom in boxes.values():
        white[top:bottom, left:right] = True
    np.testing.assert_array_equal(grey == 255, white)
    np.testing.assert_array_equal(found.truth.seen, [1, 1, 1])
    assert (found.truth.size, found.truth.image, found.name) == (SIZE, 1, "1")


def test_what_a_mosaic_cuts_off_is_gone():
    samples = [marked(1, (0, 0, 60, 40)), marked(2, (58, 0, 60, 2)), marked(3), marked(4)]
    whole = mosaic(samples, np.random.default_rng(0)).truth
    assert whole.labels.tolist() == [1]
    assert whole.seen[0] == pytest.approx(whole.boxes[0, 2] * whole.boxes[0, 3] / 2400)
    drawn = iter(samples[1:])
    little = Augmentation(crop=SIZE, mosaic=1.0, least_seen=0.99)
    assert not len(combine(samples[0], lambda: next(drawn), little, np.random.default_rng(0)).truth.boxes)


def test_mixup_shows_both_images_and_has_the_boxes_of_both():
    first, second = marked(5, (10, 10, 20, 20)), marked(15, (30, 10, 40, 20))
    found = mix(first, second, np.random.default_rng(0))
    assert found.truth.labels.tolist() == [5, 15]
    corner = found.image[0, 0, 0]
    share = np.random.default_rng(0).beta(32, 32)
    assert corner == round(share * 50 + (1 - share) * 150)
    assert found.image[15, 15, 0] == round(share * 255 + (1 - share) * 150)


def test_they_happen_as_often_as_they_are_set():
    rng, drawn = np.random.default_rng(0), []

    def draw():
        drawn.append(1)
        return marked(2, (5, 5, 15, 15))

    settings = Augmentation(crop=SIZE, mosaic=0.3, mixup=0.5)
    counts = []
    for _ in range(400):
        before = len(drawn)
        combine(marked(1), draw, settings, rng)
        counts.append(len(drawn) - before)
    shares = np.bincount(counts, minlength=5) / 400
    np.testing.assert_allclose(shares, [0.35, 0.35, 0, 0.15, 0.15], atol=0.06)


def test_they_need_boxes_and_one_size():
    image = np.zeros((8, 8, 3), "uint8")
    with refusal("augmentation.mosaic and augmentation.mixup are for boxes"):
        combine(
            Sample(image, Label(1), "a"),
            lambda: None,
            Augmentation(crop=SIZE, mosaic=1),
            np.random.default_rng(),
        )
    for name in ("mosaic", "mixup"):
        with pytest.raises(pydantic.ValidationError, match="need crop"):
            Augmentation(**{name: 0.5})


class _Plain:
    """A task that gives images and boxes as they are."""

    def context(self):
        return 0

    def prepare(self, image, whole):
        return image, None

    def encode(self, truth, placement):
        rows = np.zeros((40, 5), "float32")
        rows[: len(truth.boxes)] = np.c_[truth.labels, truth.boxes][:40]
        return {"boxes": rows}

    def mix_batch(self, x, y, rng):
        return x, y


def test_the_batch_of_a_step_depends_on_the_step_alone():
    samples = Scenes(train=12, size=64).samples("train")
    one, other = (stream(samples, _Plain(), GEOMETRY, batch=3, seed=5) for _ in range(2))
    forwards = [one[step] for step in range(8)]
    for step in reversed(range(8)):
        x, y = other[step]
        np.testing.assert_array_equal(x, forwards[step][0])
        np.testing.assert_array_equal(y["boxes"], forwards[step][1]["boxes"])
    assert not np.array_equal(forwards[0][0], forwards[4][0])
    assert x.shape == (3, *SIZE, 3)


def test_other_augmentation_is_as_it_was_without_them():
    samples = Scenes(train=4, size=64, empty=0.0).samples("train")
    plain = Augmentation(crop=SIZE, flip=True, scale=(0.7, 1.4))
    never = Augmentation(crop=SIZE, flip=True, scale=(0.7, 1.4), mosaic=1e-9)
    for step in range(3):
        x, _ = stream(samples, _Plain(), plain, batch=2, seed=0)[step]
        np.testing.assert_array_equal(x, stream(samples, _Plain(), never, batch=2, seed=0)[step][0])


@pytest.mark.parametrize("settings", [GEOMETRY, Augmentation(crop=(64, 64), rotation=30, fill=0, mosaic=0.5)])
def test_boxes_stay_inside_and_large_enough(settings):
    samples = Scenes(train=12, size=64).samples("train")
    batches = stream(samples, _Plain(), settings, batch=12, seed=1)
    height, width = settings.crop
    for step in range(3):
        boxes = batches[step][1]["boxes"][..., 1:].reshape(-1, 4)
        boxes = boxes[boxes.any(axis=1)]
        assert len(boxes) > 10
        assert (boxes >= 0).all()
        assert (boxes <= (width, height, width, height)).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 1).all()

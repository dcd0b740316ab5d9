"""The built-in data: the same for the same seed, never twice, and not to be had by simple means."""

import itertools
import time

import cv2
import numpy as np
import pytest

from kerazoo import settings
from kerazoo.data.augment import Augmentation, augment
from kerazoo.data.check import check
from kerazoo.data.generated.cells import BACKGROUND, CELL, MEMBRANE, draw_cells
from kerazoo.data.generated.shapes import NAMES, draw_shape
from kerazoo.data.generated.sources import Cells, Shapes
from kerazoo.structures.label import Label


def mean_iou(truth, found):
    counts = np.bincount(truth.astype(int).ravel() * 3 + found.ravel(), minlength=9).reshape(3, 3)
    hit = np.diag(counts)
    return np.mean(hit / (counts.sum(0) + counts.sum(1) - hit))


def test_splits_have_their_counts_and_share_no_image():
    source = Cells(train=12, validation=5, test=4, size=(40, 56))
    samples = [source.samples(split) for split in ("train", "val", "test")]
    assert [len(part) for part in samples] == [12, 5, 4]
    images = [sample.image.tobytes() for part in samples for sample in part]
    assert len(set(images)) == 21
    assert len({sample.name for part in samples for sample in part}) == 21
    first = samples[0][0]
    assert first.image.shape == (40, 56, 3)
    assert first.image.dtype == first.truth.labels.dtype == np.uint8
    assert first.truth.labels.shape == (40, 56)
    assert Cells(size=48).samples("val")[0].image.shape == (48, 48, 3)
    assert source.class_names() == ("background", "cell", "membrane")
    assert settings.from_plain(settings.to_plain(source)) == source


def test_the_seed_decides_everything_and_counts_nothing():
    few, many = Cells(train=3, size=64).samples("train"), Cells(train=300, size=64).samples("train")
    np.testing.assert_array_equal(few[2].image, many[2].image)
    drawn = [draw_cells(np.random.default_rng([4, 0, 2]), (64, 64)) for _ in range(2)]
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(Cells(seed=4, size=64).samples("train")[2].image, drawn[0][0])
    assert not np.array_equal(Cells(seed=5, size=64).samples("train")[2].image, drawn[0][0])


@pytest.mark.parametrize("seed", range(5))
def test_cells_are_enclosed_by_membranes_of_three_to_five_pixels(seed):
    _, labels, cells = draw_cells(np.random.default_rng(seed), (128, 128))
    assert set(np.unique(labels)) == {BACKGROUND, CELL, MEMBRANE}
    assert (cells[labels == CELL] > 0).all()
    assert (cells[labels == BACKGROUND] == 0).all()
    inside, square = (labels == CELL).astype("uint8"), np.ones((3, 3), "uint8")
    assert not ((cv2.dilate(inside, square) > 0) & (labels == BACKGROUND)).any()
    count, regions = cv2.connectedComponents(inside, connectivity=4)
    assert all(len(np.unique(cells[regions == region])) == 1 for region in range(1, count))
    to_end = cv2.distanceTransform((labels == MEMBRANE).astype("uint8"), cv2.DIST_L2, 5)
    beside_outline = to_end[:, 1:][cells[:, 1:] != cells[:, :-1]]
    assert 1.5 <= np.median(beside_outline) <= 2.8  # half of the width and half a pixel


def test_all_classes_are_common_and_checked():
    report = check(Cells(train=30, validation=3, test=3))
    assert report.problems == ()
    assert min(report.classes.values()) > 0.15
    assert report.grey == 0


def test_a_threshold_is_not_enough():
    """Neither two grey levels for all images nor three clusters per image; the truth tells which is which."""
    samples = list(Cells(validation=15).samples("val"))
    truth = np.stack([sample.truth.labels for sample in samples])
    grey = np.stack([cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY) for sample in samples])
    orders = [np.array(order) for order in itertools.permutations(range(3))]
    levels = [
        (grey > low).astype(int) + (grey > high)
        for low, high in itertools.combinations(range(10, 250, 24), 2)
    ]
    assert max(mean_iou(truth, order[found]) for found in levels for order in orders) < 0.5
    assert np.mean([max(mean_iou(t, order[_clusters(s.image)]) for order in orders)
                    for s, t in zip(samples, truth, strict=True)]) < 0.65  # fmt: skip


def _clusters(image):
    cv2.setRNGSeed(0)
    pixels = cv2.GaussianBlur(image, (0, 0), 1).reshape(-1, 3).astype("float32")
    _, found, _ = cv2.kmeans(pixels, 3, None, (3, 20, 0.1), 2, cv2.KMEANS_PP_CENTERS)
    return found.reshape(image.shape[:2])


def test_drawings_are_quick_and_can_be_augmented():
    draw_cells(np.random.default_rng(0), (128, 128))
    start = time.process_time()
    for seed in range(10):
        draw_cells(np.random.default_rng(seed), (128, 128))
    assert (time.process_time() - start) / 10 < 0.05  # 5 ms on an idle machine
    samples = Cells(size=64).samples("train")
    turned = augment(
        samples[0], Augmentation(quarter_turns=True, noise=0.1, blur=1), np.random.default_rng(0)
    )
    assert turned.image.flags.writeable


def test_shapes_take_turns_and_share_no_image():
    source = Shapes(train=25, validation=10, test=10, size=24)
    samples = [source.samples(split) for split in ("train", "val", "test")]
    assert [len(part) for part in samples] == [25, 10, 10]
    assert [sample.truth for sample in samples[0]] == [Label(index % 10) for index in range(25)]
    assert len({sample.image.tobytes() for part in samples for sample in part}) == 45
    assert len({sample.name for part in samples for sample in part}) == 45
    assert samples[1][3].image.shape == (24, 24, 3)
    assert samples[1][3].image.dtype == np.uint8
    assert source.class_names() == NAMES
    assert len(NAMES) == 10
    np.testing.assert_array_equal(samples[0][2].image, Shapes(size=24, train=3).samples("train")[2].image)
    assert not np.array_equal(samples[0][2].image, Shapes(size=24, seed=1).samples("train")[2].image)
    assert settings.from_plain(settings.to_plain(source)) == source


def test_neither_colours_nor_neighbours_tell_the_shape():
    """The nearest image, by pixels or by mean and spread of its colours, is hardly better than luck."""
    source = Shapes(train=600, validation=200)
    train, val = (
        np.stack([sample.image for sample in source.samples(s)]).astype("float32") for s in ("train", "val")
    )
    for features in (lambda x: x.reshape(len(x), -1), lambda x: np.c_[x.mean((1, 2)), x.std((1, 2))]):
        known, asked = features(train), features(val)
        distance = np.square(known).sum(1) - 2 * asked @ known.T
        found = distance.argmin(axis=1) % 10
        assert (found == np.arange(len(val)) % 10).mean() < 0.25


def test_shapes_are_quick_to_draw():
    draw_shape(np.random.default_rng(0), 0, 32)
    start = time.process_time()
    for seed in range(50):
        draw_shape(np.random.default_rng(seed), seed % 10, 32)
    assert (time.process_time() - start) / 50 < 0.01  # 0.5 ms on a busy machine

"""Scores of segmentation against counting by hand."""

import numpy as np
import pytest

from kerazoo.structures.mask import VOID
from kerazoo.tasks.segmentation.scores import confusion, scores

NAMES = ("ground", "cell", "wall")


def test_scores_equal_counting_by_hand():
    truth = np.array([[0, 0, 1, 1], [0, 1, 1, VOID]], "uint8")
    predicted = np.array([[0, 1, 1, 1], [0, 0, 1, 1]], "uint8")
    found = scores([confusion(truth, predicted, 2)], NAMES[:2])
    assert found["iou"] == {"ground": 2 / 4, "cell": 3 / 5}
    assert found["dice"] == {"ground": 4 / 6, "cell": 6 / 8}
    assert found["pixel_accuracy"] == pytest.approx(5 / 7)
    assert found["mean_iou"] == pytest.approx(0.55)


def test_class_absent_everywhere_is_left_out():
    truth = np.zeros((2, 2), "uint8")
    found = scores([confusion(truth, truth, 3)], NAMES)
    assert found["iou"] == {"ground": 1.0, "cell": None, "wall": None}
    assert found["mean_iou"] == 1.0


def test_class_only_predicted_counts_as_zero():
    truth = np.zeros((2, 2), "uint8")
    found = scores([confusion(truth, np.full((2, 2), 2, "uint8"), 3)], NAMES)
    assert found["iou"] == {"ground": 0.0, "cell": None, "wall": 0.0}


def test_void_pixels_count_for_nothing():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 30, 40)).astype("uint8")
    hidden = rng.random(truth.shape) < 0.3
    with_void = confusion(np.where(hidden, VOID, truth).astype("uint8"), predicted, 3)
    other = np.where(hidden, (predicted + 1) % 3, predicted).astype("uint8")
    assert (with_void == confusion(np.where(hidden, VOID, truth).astype("uint8"), other, 3)).all()
    assert with_void.sum() == (~hidden).sum()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="prediction"):
        confusion(np.zeros((2, 2), "uint8"), np.zeros((2, 3), "uint8"), 2)


def test_image_iou_counts_small_images_as_much_as_large_ones():
    good, bad = np.ones((100, 100), "uint8"), np.ones((2, 2), "uint8")
    found = scores([confusion(good, good, 2), confusion(bad, 1 - bad, 2)], NAMES[:2])
    assert found["iou"]["cell"] == pytest.approx(10_000 / 10_004)
    assert found["image_iou"] == {"ground": 0.0, "cell": 0.5}


def test_scores_of_nothing():
    assert scores([], NAMES[:2])["mean_iou"] is None


def test_labels_beyond_the_classes_are_left_out():
    truth = np.array([[0, 1, 2, 3]], "uint8")
    np.testing.assert_array_equal(confusion(truth, np.zeros((1, 4), "uint8"), 2), [[1, 0], [1, 0]])


def test_dice_counts_truth_and_prediction():
    predicted = np.array([[0, 0, 0, 1]], "uint8")
    found = scores([confusion(np.zeros((1, 4), "uint8"), predicted, 2)], NAMES[:2])
    assert found["dice"]["ground"] == pytest.approx(2 * 3 / (4 + 3))

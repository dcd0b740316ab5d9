"""Suppression in NumPy: against golden files, and against plain loops on random boxes."""

import functools
import time

import numpy as np
import pytest

from kerazoo.tasks.detection.overlaps import diou, iou
from kerazoo.tasks.detection.suppression import LOST, softened, unsuppressed

OVERLAPS = {"iou": iou, "diou": diou, "diou06": functools.partial(diou, exponent=0.6)}


def golden(shared, name):
    path = shared / f"parity/golden/{name}.npz"
    if not path.is_file():
        pytest.skip(f"no golden file at {path}")
    return dict(np.load(path))


def scene(seed, count=60, classes=3):
    """Return crowded boxes, their labels and scores, of which some are equal."""
    rng = np.random.default_rng(seed)
    corners, sides = rng.uniform(0, 100, (count, 2)), rng.uniform(5, 60, (count, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1).astype("float32")
    return boxes, rng.integers(0, classes, count), rng.integers(0, 40, count).astype("float32") / 40


def by_loops(boxes, labels, scores, threshold, overlap):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        rivals = (other for other in kept if labels[other] == labels[index])
        if all(overlap(boxes[other], boxes[index]) <= threshold for other in rivals):
            kept.append(index)
    return kept


def softened_by_loops(boxes, labels, scores, factor):
    left, kept = dict(enumerate(scores.tolist())), []
    while left:
        best = max(left, key=left.get)
        if (score := left.pop(best)) < LOST:
            break
        kept.append((score, best))
        for other in left:
            if labels[other] == labels[best]:
                left[other] *= factor(float(iou(boxes[best], boxes[other])))
    return kept


@pytest.mark.parametrize("kind", OVERLAPS)
@pytest.mark.parametrize("threshold", [0.45, 0.6])
def test_what_stays_equals_the_golden_file(shared, kind, threshold):
    told = golden(shared, "diou_nms")
    box, label = (index.ravel() for index in np.indices(told["scores"].shape))
    scores = told["scores"].ravel()
    kept = unsuppressed(told["boxes"][box], label, scores, threshold, OVERLAPS[kind])
    expected = told[f"keep_{kind}_{threshold}"]
    assert sorted(kept.tolist()) == np.flatnonzero(expected.ravel()).tolist()
    assert (np.diff(scores[kept]) <= 0).all()
    others = [told[f"keep_{other}_{threshold}"] for other in OVERLAPS if other != kind]
    assert all((expected != other).any() for other in others)


def test_the_selection_of_a_two_stage_detector_equals_the_golden_file(shared):
    told = golden(shared, "classwise_nms")
    box, label = np.nonzero(told["probabilities"][:, :4] > 0.05)
    scores = told["probabilities"][box, label]
    kept = unsuppressed(told["boxes"][box], label, scores, 0.5)
    assert len(kept) == 203
    kept = kept[:100]
    assert box[kept].tolist() == told["box_index"].tolist()
    assert label[kept].tolist() == told["class"].tolist()
    np.testing.assert_array_equal(scores[kept], told["score"])


@pytest.mark.parametrize("kind", OVERLAPS)
def test_crowds_with_equal_scores_equal_plain_loops(kind):
    for seed in range(10):
        boxes, labels, scores = scene(seed)
        kept = unsuppressed(boxes, labels, scores, 0.3, OVERLAPS[kind])
        assert kept.tolist() == by_loops(boxes, labels, scores, 0.3, OVERLAPS[kind])
        assert 10 < len(kept) < 58


def test_more_boxes_than_are_compared_at_once_equal_plain_loops():
    boxes, labels, scores = scene(0, count=400, classes=1)
    boxes *= 3
    kept = unsuppressed(boxes, labels, scores, 0.2)
    assert kept.tolist() == by_loops(boxes, labels, scores, 0.2, iou)
    assert len(kept) > 30


@pytest.mark.parametrize(
    ("mode", "factor"),
    [
        ("linear", lambda overlap: 1 - overlap if overlap > 0.4 else 1.0),
        ("gaussian", lambda overlap: np.exp(-(overlap**2) / 0.3)),
    ],
)
def test_soft_suppression_equals_plain_loops(mode, factor):
    for seed in range(10):
        boxes, labels, scores = scene(seed)
        scores += np.random.default_rng(seed).uniform(0, 0.01, len(scores)).astype("float32")
        found = softened(boxes, labels, scores, mode=mode, threshold=0.4, sigma=0.3)
        expected = softened_by_loops(boxes, labels, scores, factor)
        assert len(expected) > 20
        np.testing.assert_allclose(found.scores, [score for score, _ in expected], rtol=1e-5)
        np.testing.assert_array_equal(found.boxes, boxes[[index for _, index in expected]])
        np.testing.assert_array_equal(found.labels, labels[[index for _, index in expected]])


def test_by_hand():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 8], [20, 0, 30, 10]], "float32")
    labels, scores = np.array([0, 0, 1, 0]), np.array([0.5, 0.9, 0.3, 0.4], "float32")
    assert unsuppressed(boxes, labels, scores, 0.79).tolist() == [1, 3, 2]
    assert unsuppressed(boxes, labels, scores, 0.81).tolist() == [1, 0, 3, 2]
    linear = softened(boxes, labels, scores, mode="linear")
    np.testing.assert_allclose(linear.scores, [0.9, 0.4, 0.3, 0.5 * 0.2], rtol=1e-6)
    assert linear.labels.tolist() == [0, 0, 1, 0]


def test_nothing_gives_nothing():
    nothing = np.zeros((0, 4), "float32"), np.zeros(0, "int32"), np.zeros(0, "float32")
    assert len(unsuppressed(*nothing, 0.5)) == 0
    found = softened(*nothing)
    assert found.boxes.shape == (0, 4)
    assert (found.labels.dtype, found.scores.dtype) == ("int32", "float32")


def test_ten_thousand_boxes_are_quick():
    boxes, labels, scores = scene(0, count=10_000)
    boxes[:, 2:] -= boxes[:, :2] * 0.7  # small ones: few suppress each other
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2)
    begin = time.process_time()
    kept = unsuppressed(boxes * 20, labels, scores, 0.5)
    softened(boxes * 20, labels, scores)
    assert len(kept) > 3000
    assert time.process_time() - begin < 10  # 0.9 s; plain loops take minutes

"""Scores of detection: against pycocotools, against Pascal VOC's rules by hand, and what must come out."""

import contextlib
import io
import json

import numpy as np
import pytest

from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.tasks.detection.coco_scores import NAMES
from kerazoo.tasks.detection.confusion import confusion
from kerazoo.tasks.detection.overlaps import iou
from kerazoo.tasks.detection.scores import scores
from kerazoo.tasks.detection.voc_scores import average_precision, voc_scores

BY_PYCOCOTOOLS = [
    0.198700361049043,
    0.3607271642683844,
    0.19467472230676527,
    -0.20954160223317017,
    0.20172742248812106,
    0.28101720135173575,
    0.11782686702588988,
    0.3853835548597391,
    0.4492379855704509,
    -0.17333750000000003,
    0.3966455440067497,
    0.49114421169108646,
]
"""What `means_by_pycocotools()` gave with pycocotools 2.0.11, the means of `NAMES` over the 200 sets:

    python -c 'from tests.tasks.test_detection_scores import *; print(means_by_pycocotools())'
"""


def truth(boxes, labels=None, crowd=(), difficult=(), **changes):
    """Return boxes as a truth; `crowd` and `difficult` are indices."""
    boxes = np.array(boxes, "float32").reshape(-1, 4)
    places = np.arange(len(boxes))
    labels = np.zeros(len(boxes), "int32") if labels is None else np.array(labels, "int32")
    flags = np.isin(places, list(crowd)), np.isin(places, list(difficult))
    return Boxes(boxes, labels, *flags, size=(600, 600), **changes)


def found(boxes, scores=None, labels=None):
    boxes = np.array(boxes, "float32").reshape(-1, 4)
    labels = np.zeros(len(boxes), "int32") if labels is None else np.array(labels, "int32")
    scores = np.linspace(0.9, 0.1, len(boxes)) if scores is None else np.array(scores)
    return Detections(boxes, labels, scores.astype("float32"))


def random_set(seed, difficult=0.0):
    """Return images with crowds, equal scores, wrong classes and up to 130 boxes found; and class names."""
    rng = np.random.default_rng(seed)
    classes, pairs = int(rng.integers(1, 5)), []
    for image in range(int(rng.integers(1, 7))):
        least = 0 if image else 1  # pycocotools reads no empty list
        count, many = int(rng.integers(least, 12)), int(rng.integers(least, 20 if image else 130))
        corner, sides = rng.uniform(0, 400, (count + 1, 2)), rng.uniform(4, 200, (count + 1, 2))
        boxes, labels = np.concatenate([corner, corner + sides], axis=1), rng.integers(0, classes, count + 1)
        nearest = rng.integers(0, count + 1, many)  # the last box is not in the truth
        places = boxes[nearest] + rng.normal(0, 8, (many, 4))
        places[:, 2:] = np.maximum(places[:, 2:], places[:, :2] + 1)
        guesses = np.where(rng.random(many) < 0.8, labels[nearest], rng.integers(0, classes, many))
        order = np.sort(np.round(rng.random(many), 2))[::-1]
        areas = (sides.prod(axis=1) * rng.uniform(0.4, 1, count + 1)).astype("float32")
        known = truth(
            boxes[:count],
            labels[:count],
            np.flatnonzero(rng.random(count) < 0.15),
            np.flatnonzero(rng.random(count) < difficult),
            image=100 + 7 * image,
            areas=areas[:count] if seed % 2 else None,
            categories=tuple(range(3, 3 + 5 * classes, 5)),
        )
        pairs.append((known, found(places, order, guesses)))
    return pairs, tuple(f"class {label}" for label in range(classes))


def by_pycocotools(pairs, results):
    """Return pycocotools' numbers for COCO's results and the truth in COCO's words; -1 for None."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations = []
    for known, _ in pairs:
        boxes = known.boxes.astype("float64")
        sides = boxes[:, 2:] - boxes[:, :2]
        areas = sides.prod(axis=1) if known.areas is None else known.areas
        for index, label in enumerate(known.labels):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": known.image,
                    "category_id": known.categories[label],
                    "bbox": [*boxes[index, :2].tolist(), *sides[index].tolist()],
                    "area": float(areas[index]),
                    "iscrowd": int(known.crowd[index]),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        categories = [{"id": number} for number in pairs[0][0].categories]
        images = [{"id": known.image} for known, _ in pairs]
        data.dataset = {"images": images, "categories": categories, "annotations": annotations}
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def means_by_pycocotools():
    told = []
    for seed in range(200):
        pairs, names = random_set(seed)
        told.append(by_pycocotools(pairs, scores(pairs, names, 0.3).files["coco"]))
    return np.mean(told, axis=0).tolist()


def numbers(pairs, names):
    told = scores(pairs, names, 0.3).numbers
    return [-1.0 if told[name] is None else told[name] for name in NAMES]


def test_two_hundred_random_sets_score_as_pycocotools_said():
    told = [numbers(*random_set(seed)) for seed in range(200)]
    np.testing.assert_allclose(np.mean(told, axis=0), BY_PYCOCOTOOLS, atol=1e-12)


def test_two_hundred_random_sets_and_their_results_score_as_pycocotools_says():
    pytest.importorskip("pycocotools")
    for seed in range(200):
        pairs, names = random_set(seed)
        results = json.loads(json.dumps(scores(pairs, names, 0.3).files["coco"]))
        np.testing.assert_allclose(numbers(pairs, names), by_pycocotools(pairs, results), atol=1e-9)


def test_what_is_true_scores_one_and_another_class_nothing():
    pairs, names = random_set(3)
    right = [
        (known.select(~known.crowd), found(known.boxes[~known.crowd], None, known.labels[~known.crowd]))
        for known, _ in pairs
    ]
    told = scores(right, names, 0.3).numbers
    assert (told["ap"], told["ap50"], told["voc_ap"], told["voc07_ap"]) == (1, 1, 1, 1)
    assert told["ar100"] == 1
    assert {value for value in told["class_ap"].values() if value is not None} == {1}
    assert told["images"] == len(pairs)
    assert sum(told["class_boxes"].values()) == told["boxes"] == sum(len(known.boxes) for known, _ in right)
    other = [
        (known, Detections(result.boxes, (result.labels + 1) % len(names), result.scores))
        for known, result in right
    ]
    told = scores(other, names, 0.3).numbers
    assert max(told["ap50"], told["voc_ap"]) < 0.1


def test_images_without_objects_count_against():
    one, nothing = truth([[0, 0, 50, 50]]), truth([])
    right = one, found([[0, 0, 50, 50]], [0.5])
    told = scores([right, (nothing, found([[0, 0, 9, 9]], [0.9]))], ["a"], 0.3).numbers
    assert told["ap"] == told["voc_ap"] == told["voc07_ap"] == pytest.approx(0.5)
    assert scores([right, (nothing, found([]))], ["a"], 0.3).numbers["ap"] == 1


def test_without_objects_or_without_images_there_is_no_score():
    for pairs in ([], [(truth([]), found([[0, 0, 9, 9]]))]):
        told = scores(pairs, ["a", "b"], 0.3)
        assert told.numbers["ap"] is told.numbers["voc_ap"] is told.numbers["class_ap"]["a"] is None
        assert told.numbers["boxes"] == 0
        assert json.dumps(told.numbers | told.files)
        assert {draw().ndim for draw in told.drawings.values()} == {3}


def test_nothing_found_scores_nothing():
    told = scores([(truth([[0, 0, 50, 50]]), found([]))], ["a"], 0.3).numbers
    assert told["ap"] == told["ap50"] == told["voc_ap"] == told["class_ap"]["a"] == 0


SEVERAL = truth([[0, 0, 40, 40], [100, 0, 140, 40]])


@pytest.mark.parametrize("flag", ["crowd", "difficult"])
def test_crowds_and_difficult_objects_count_neither_for_nor_against(flag):
    flagged = truth(SEVERAL.boxes, None, **{flag: [1]})
    for boxes in (SEVERAL.boxes[:1], SEVERAL.boxes[[1, 0]]):
        told = scores([(flagged, found(boxes))], ["a"], 0.3).numbers
        assert (told["ap"], told["voc_ap"], told["boxes"]) == (1, 1, 1)
    assert scores([(SEVERAL, found(SEVERAL.boxes[:1]))], ["a"], 0.3).numbers["ap"] < 0.6


def test_many_boxes_may_lie_in_a_crowd_but_one_on_a_difficult_object():
    boxes = np.array([[100, 0, 138, 40], [100, 0, 140, 40], [0, 0, 40, 40]])
    for flag, ap in (("crowd", 1.0), ("difficult", 0.5)):
        told = scores([(truth(SEVERAL.boxes, **{flag: [1]}), found(boxes))], ["a"], 0.3).numbers
        assert told["ap50"] == pytest.approx(ap)


def test_results_have_the_ids_of_the_data():
    known = truth([[0, 0, 9, 9]], [1], image="0007", categories=(4, 90))
    rows = scores([(known, found([[1.23456, 2, 30, 40]], [0.5], [1]))], ["a", "b"], 0.3).files["coco"]
    assert rows == [{"image_id": "0007", "category_id": 90, "bbox": [1.235, 2, 28.765, 38], "score": 0.5}]
    plain = scores([(truth([]), found([[0, 0, 9, 9]], [0.5], [1]))], ["a", "b"], 0.3).files["coco"]
    assert [row["category_id"] for row in plain] == [2]


def test_average_precision_by_hand():
    # Right, wrong, right, of 4: precision 1, 1/2, 2/3 at recalls 1/4, 1/4, 1/2.
    right = np.array([True, False, True])
    area, points = average_precision(right, 4)
    assert area == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert points == pytest.approx((3 * 1 + 3 * 2 / 3) / 11)  # recalls 0, .1, .2; .3, .4, .5; then 0
    assert average_precision(np.array([True] * 3), 10)[1] == pytest.approx(4 / 11)  # 3 / 10 reaches 0.3
    assert average_precision(np.array([], bool), 3) == (0, 0)
    assert np.isnan(average_precision(right, 0)).all()


def by_devkit(pairs, label):
    """Return both average precisions of a class, box by box as Pascal VOC's VOCevaldet and VOCap say."""
    rows = [
        (-float(score), image, box.astype("float64"))
        for image, (_, result) in enumerate(pairs)
        for box, score, each in zip(result.boxes, result.scores, result.labels, strict=True)
        if each == label
    ]
    detected, true, false = set(), [], []
    for _, image, box in sorted(rows, key=lambda row: row[0]):
        known, best, place = pairs[image][0], -np.inf, None
        for index in np.flatnonzero(known.labels == label):
            if (overlap := iou(box, known.boxes[index].astype("float64"))) > best:
                best, place = overlap, index
        if best < 0.5:
            true, false = [*true, 0], [*false, 1]
        elif known.difficult[place] or known.crowd[place]:
            true, false = [*true, 0], [*false, 0]
        else:
            true, false = (
                [*true, int((image, place) not in detected)],
                [*false, int((image, place) in detected)],
            )
            detected.add((image, place))
    count = sum(int(((k.labels == label) & ~k.difficult & ~k.crowd).sum()) for k, _ in pairs)
    if not count:
        return np.nan, np.nan
    hits, misses = np.cumsum(true), np.cumsum(false)
    recall, precision = hits / count, hits / np.maximum(hits + misses, 1)
    levels = [max(precision[recall >= k / 10 - 1e-9], default=0.0) for k in range(11)]
    recall, precision = [0, *recall, 1], [0, *precision, 0]
    for index in range(len(precision) - 2, -1, -1):
        precision[index] = max(precision[index], precision[index + 1])
    area = sum((recall[i + 1] - recall[i]) * precision[i + 1] for i in range(len(recall) - 1))
    return area, np.mean(levels)


def test_random_sets_score_as_the_devkit_says():
    for seed in range(60):
        pairs, names = random_set(seed, difficult=0.2)
        told = voc_scores(pairs, len(names))
        expected = np.array([by_devkit(pairs, label) for label in range(len(names))])
        np.testing.assert_allclose(told.area, expected[:, 0], atol=1e-12)
        np.testing.assert_allclose(told.points, expected[:, 1], atol=1e-12)


def test_a_second_box_on_an_object_is_wrong_in_voc():
    one = truth([[0, 0, 40, 40], [200, 0, 240, 40]])
    twice = found([[0, 0, 40, 40], [0, 0, 40, 39], [200, 0, 240, 40]])
    assert voc_scores([(one, twice)], 1).area[0] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_confusion_by_hand():
    known = truth(
        [[0, 0, 40, 40], [100, 0, 140, 40], [200, 0, 240, 40], [300, 0, 400, 100], [500, 0, 540, 40]],
        [0, 1, 1, 0, 0],
        crowd=[3],
        difficult=[4],
    )
    boxes = [
        [0, 0, 40, 38],  # the sixth overlaps more
        [100, 0, 140, 39],  # taken for the other class
        [310, 10, 330, 30],  # in the crowd of its class
        [310, 10, 330, 30],  # not in a crowd of its class
        [500, 0, 540, 40],  # difficult
        [0, 0, 40, 40],  # right
        [200, 0, 240, 40],  # too weak
    ]
    result = found(boxes, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2], [1, 0, 0, 1, 0, 0, 1])
    matrix = confusion([(known, result)], 2, 0.3)
    assert matrix.tolist() == [[1, 0, 0], [1, 0, 1], [0, 2, 0]]


def test_drawings_are_made_when_asked_for():
    pairs, names = random_set(1)
    drawings = scores(pairs, names, 0.3).drawings
    assert set(drawings) == {"curves", "confusion"}
    for draw in drawings.values():
        image = draw()
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.std() > 5

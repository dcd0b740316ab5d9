"""Tiles and test-time averaging, with a stand-in for a network that finds rectangles of one colour each."""

import dataclasses
import tracemalloc

import cv2
import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.settings import settings
from kerazoo.structures.boxes import Detections
from kerazoo.task import Options
from kerazoo.tasks.detection import Detection
from kerazoo.tasks.detection.augmented import joined, mirrored, softly_joined
from kerazoo.tasks.detection.overlaps import iou
from kerazoo.tasks.detection.tiling import OVERLAP, starts


@settings
class Rectangles(Detection):
    """Finds every rectangle: its label is red's value / 100, its score green's / 255."""

    classes: int = 2
    factor: float = 1.0

    def build(self):
        raise NotImplementedError

    objective = encode = serving = build

    def stride(self):
        return 1

    def at_scale(self, factor):
        return dataclasses.replace(self, factor=factor)

    def prepare(self, image, *, whole=True):
        size = tuple(round(side * self.factor) for side in image.shape[1::-1])
        return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), image.shape[:2]

    def decode(self, outputs, placement):
        image = outputs["image"].round().astype("uint8")
        _, parts, stats, _ = cv2.connectedComponentsWithStats((image[..., 2] > 0).astype("uint8"))
        found = []
        for part, (left, top, width, height, _) in list(enumerate(stats))[1:]:
            red, green, _ = image[parts == part][0]
            found.append((left, top, left + width, top + height, red // 100, green / 255))
        found = np.array(sorted(found, key=lambda row: -row[5]), "float32").reshape(-1, 6)
        return Detections(found[:, :4] / self.factor, found[:, 4].astype("int32"), found[:, 5])


TASK = Rectangles()


def network(x):
    return {"image": x}


def scene(size, count, largest, seed=0):
    """Return an image of rectangles that do not touch, of different scores."""
    rng, image = np.random.default_rng(seed), np.zeros((*size, 3), "uint8")
    drawn = 0
    while drawn < count:
        width, height = rng.integers(4, largest, 2)
        left, top = rng.integers(0, size[1] - width + 1), rng.integers(0, size[0] - height + 1)
        around = image[max(top - 2, 0) : top + height + 2, max(left - 2, 0) : left + width + 2]
        if not around.any():
            image[top : top + height, left : left + width] = (100 * rng.integers(0, 2), 50 + drawn, 255)
            drawn += 1
    return image


def answer(image, task=TASK, **options):
    return next(task.infer(network, [image], Options(**options)))


def assert_same(found, expected, tolerance=0.0):
    assert len(found.boxes) == len(expected.boxes)
    assert (np.diff(found.scores) <= 0).all()
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=tolerance)
    np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize(("size", "tile"), [((300, 420), 128), ((300, 420), 200), ((100, 700), 128)])
def test_tiles_find_what_the_whole_image_has(size, tile):
    for seed in range(5):
        image = scene(size, 60, int(tile * OVERLAP), seed)
        whole = answer(image)
        assert len(whole.boxes) == 60
        assert_same(answer(image, tile=tile), whole)


def test_without_care_for_seams_parts_would_be_left():
    image = scene((300, 420), 60, 32)
    tiles = [
        answer(image[top : top + 128, left : left + 128])
        for top in starts(300, 128)
        for left in starts(420, 128)
    ]
    assert sum(len(found.boxes) for found in tiles) > 100


def test_a_large_image_alone_is_no_reason_for_tiles():
    shapes = []

    def watched(x):
        shapes.append(x.shape[1:3])
        return network(x)

    image = scene((150, 300), 5, 20)
    list(TASK.infer(watched, [image], Options()))
    list(TASK.infer(watched, [image], Options(tile=300)))
    assert shapes == [(150, 300)] * 2
    list(TASK.infer(watched, [image], Options(tile=200)))
    assert shapes[2:] == [(150, 200)] * 2


def test_objects_larger_than_the_overlap_are_found_at_least_in_parts():
    image = np.zeros((100, 400, 3), "uint8")
    image[30:60, 60:180] = (100, 200, 255)
    found = answer(image, tile=128)
    assert set(found.labels.tolist()) == {1}
    assert iou(found.boxes, np.array([60.0, 30, 180, 60])).max() > 0.5


class Scripted(Rectangles):
    """Gives each tile the result that is written for it."""

    def decode(self, outputs, placement):
        return RESULTS[int(outputs["image"][0, 0, 0])]


RESULTS: dict[int, Detections] = {}


def of_two_tiles(first, second):
    """Return what stays of rows (left, top, right, bottom, label, score) of the tiles at 0 and at 96."""
    for number, (rows, shift) in enumerate([(first, 0), (second, 96)]):
        rows = np.array(rows, "float32").reshape(-1, 6) - np.array([shift, 0, shift, 0, 0, 0], "float32")
        RESULTS[number] = Detections(rows[:, :4], rows[:, 4].astype("int32"), rows[:, 5])
    image = np.zeros((128, 224, 3), "uint8")
    image[0, 96] = 1
    found = answer(image, Scripted(), tile=128)
    return [*np.concatenate([found.boxes, found.labels[:, None]], axis=1).astype(int).tolist()]


def test_whole_boxes_win_over_cut_ones_and_the_better_of_two():
    cut, whole = [100, 10, 128, 40, 0, 0.9], [100, 10, 150, 40, 0, 0.5]
    assert of_two_tiles([cut], [whole]) == [[100, 10, 150, 40, 0]]
    assert of_two_tiles([cut], [[*whole[:4], 1, 0.5]]) == [[100, 10, 128, 40, 0], [100, 10, 150, 40, 1]]
    assert of_two_tiles([cut], [[*whole[:4], 0, 0.1]]) == [[100, 10, 128, 40, 0]]  # hardly seen
    assert of_two_tiles([cut], []) == [[100, 10, 128, 40, 0]]
    assert of_two_tiles([[100, 10, 120, 40, 0, 0.8]], [[101, 10, 121, 40, 0, 0.7]]) == [[100, 10, 120, 40, 0]]


def test_boxes_of_one_tile_never_suppress_each_other():
    pair = [[100, 10, 120, 40, 0, 0.8], [102, 10, 122, 40, 0, 0.7]]
    assert len(of_two_tiles(pair, [])) == 2
    assert len(of_two_tiles(pair, pair)) == 2
    assert len(of_two_tiles(pair[:1], pair[1:])) == 1


def test_what_touches_the_edge_of_the_image_is_not_cut():
    at_edge, other = [0, 0, 30, 128, 0, 0.5], [100, 98, 128, 128, 0, 0.9]
    beside = [99, 96, 190, 128, 0, 0.4]
    assert of_two_tiles([at_edge], []) == [[0, 0, 30, 128, 0]]
    assert of_two_tiles([other], [beside]) == [beside[:5]]


@pytest.mark.parametrize(("length", "tile"), [(1000, 128), (129, 128), (128, 128), (40, 128), (300, 33)])
def test_tiles_cover_a_side_and_overlap(length, tile):
    begins = np.array(starts(length, tile))
    assert begins[0] == 0
    if length <= tile:
        assert len(begins) == 1
    else:
        assert begins[-1] + tile == length
        assert (tile - np.diff(begins) >= OVERLAP * tile - 1).all()
        assert len(begins) <= np.ceil(length / (0.75 * tile - 1))


def test_memory_is_that_of_a_tile():
    image = np.zeros((3000, 3000, 3), "uint8")
    image[::50, ::50] = (100, 200, 255)
    answer(image[:300, :300], tile=128)
    tracemalloc.start()
    found = answer(image, tile=256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.boxes) == 3600
    assert peak < 8e6  # the image has 27 MB


def test_tiles_that_are_too_small_are_refused():
    with pytest.raises(UserError, match="--tile at least 32"):
        answer(np.zeros((99, 99, 3), "uint8"), tile=31)


def test_the_mirror_image_gives_the_same_boxes():
    image = scene((120, 200), 20, 30)
    whole = answer(image)
    assert_same(mirrored(answer(image[:, ::-1]), 200), whole)
    both = answer(image, tta=True)
    first = [int(np.flatnonzero((both.boxes == box).all(axis=1))[0]) for box in whole.boxes]
    assert first == list(range(20))  # found twice, the second time with exp(-1 / 0.5) of the score
    np.testing.assert_allclose(both.scores[:20], whole.scores)
    np.testing.assert_allclose(both.scores[20:], whole.scores * np.exp(-2), rtol=1e-5)


def test_several_sizes_are_joined_softly():
    image = scene((120, 200), 20, 30)
    task = Rectangles(tta_sizes=(1.0, 2.0, 3.0), score=0.15)
    found = task.shown(answer(image, task, tta=True))
    assert_same(found, answer(image))
    halves = Rectangles(tta_sizes=(0.5,)).infer(network, [image], Options(tta=True))
    assert iou(answer(image).boxes, next(halves).boxes[:20]).min() < 1


def test_of_several_results_the_best_hundred_stay():
    rng = np.random.default_rng(0)
    corners = np.stack([np.arange(80.0) * 10, np.zeros(80)], axis=1)
    boxes = np.concatenate([corners, corners + 9], axis=1).astype("float32")
    parts = [
        Detections(boxes + shift, np.zeros(80, "int32"), np.sort(rng.random(80).astype("float32"))[::-1])
        for shift in (0, 900)
    ]
    everything = joined(parts)
    best = softly_joined(parts)
    assert len(everything.scores) == 160
    np.testing.assert_array_equal(best.scores, everything.scores[:100])

"""Boxes: conversions of formats, what geometric changes leave of them, and what they count."""

import dataclasses

import numpy as np
import pytest

from kerazoo.data.augment import Augmentation, augment
from kerazoo.structures.boxes import (
    Boxes,
    box_areas,
    clipped,
    from_voc,
    from_xywh,
    from_yolo,
    joined,
    sanitised,
    to_voc,
    to_xywh,
    to_yolo,
)
from kerazoo.structures.sample import Sample
from kerazoo.structures.warp import Warp, about, linear, quarter_turn, shifted

EDGES = np.array([[0, 0, 640, 480], [99, 49, 199, 149], [639, 479, 640, 480]], "float64")
"""The whole image of 640 x 480, a box of 100 x 100, and the last pixel."""


def truth(*boxes, size=(40, 60), crowd=(), difficult=(), **more):
    count = len(boxes)
    return Boxes(
        np.array(boxes, "float32").reshape(-1, 4),
        np.arange(count, dtype="int32") % 3,
        np.isin(np.arange(count), crowd),
        np.isin(np.arange(count), difficult),
        size,
        **more,
    )


# --- formats ----------------------------------------------------------------------------------


def test_coco_has_width_and_height():
    np.testing.assert_array_equal(to_xywh(EDGES), [[0, 0, 640, 480], [99, 49, 100, 100], [639, 479, 1, 1]])


def test_voc_counts_pixels_from_1_and_the_last_one_belongs_to_the_box():
    np.testing.assert_array_equal(
        to_voc(EDGES), [[1, 1, 640, 480], [100, 50, 199, 149], [640, 480, 640, 480]]
    )


def test_yolo_has_centres_and_shares():
    found = to_yolo(EDGES, (480, 640))
    np.testing.assert_allclose(found[0], [0.5, 0.5, 1, 1])
    np.testing.assert_allclose(found[1], [149 / 640, 99 / 480, 100 / 640, 100 / 480])


@pytest.mark.parametrize(
    "there_and_back",
    [
        lambda boxes: from_xywh(to_xywh(boxes)),
        lambda boxes: from_voc(to_voc(boxes)),
        lambda boxes: from_yolo(to_yolo(boxes, (480, 640)), (480, 640)),
    ],
)
def test_every_format_gives_the_boxes_back(there_and_back):
    rng = np.random.default_rng(0)
    low = rng.uniform(0, (600, 440), (500, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 40, (500, 2))], axis=1)
    np.testing.assert_allclose(there_and_back(boxes), boxes, atol=1e-10)
    np.testing.assert_allclose(there_and_back(boxes.astype("float32")), boxes, atol=2e-4)
    assert there_and_back(np.zeros((0, 4), "float32")).shape == (0, 4)


def test_areas_and_clipping():
    boxes = np.array([[-5, 10, 5, 20], [3, 3, 2, 9], [50, 30, 70, 50], [61, 1, 65, 2]], "float32")
    np.testing.assert_array_equal(
        clipped(boxes, (40, 60)), [[0, 10, 5, 20], [3, 3, 2, 9], [50, 30, 60, 40], [60, 1, 60, 2]]
    )
    np.testing.assert_array_equal(box_areas(boxes), [100, 0, 400, 4])


def test_what_is_beyond_the_image_is_told_from_what_is_empty():
    boxes = np.array(
        [
            [1, 1, 9, 9],
            [-5, 1, 9, 9],
            [1, 1, 61, 9],
            [9, 1, 1, 9],  # reversed
            [5, 5, 5, 9],  # without width
            [70, 1, 90, 9],  # wholly outside
            [0, 0, 60.005, 40],  # rounded
            [0, 0, 60.009, 40],
        ]
    )
    found = sanitised(boxes, (40, 60))
    np.testing.assert_array_equal(found.beyond, [False, True, True, False, False, False, False, True])
    np.testing.assert_array_equal(found.empty, [False, False, False, True, True, True, False, False])
    np.testing.assert_array_equal(found.boxes[[1, 2, 6]], [[0, 1, 9, 9], [1, 1, 60, 9], [0, 0, 60, 40]])


# --- geometric changes ------------------------------------------------------------------------


def test_a_mirror_and_a_crop_move_edges_exactly():
    boxes = truth([10, 5, 20, 15])
    mirror = Warp(about(linear(-1, 0, 0, 1), (40, 60), (29.5, 19.5)), (40, 60))
    np.testing.assert_array_equal(boxes.moved(mirror).boxes, [[40, 5, 50, 15]])
    crop = boxes.moved(Warp(shifted(8, 4), (6, 30)))
    np.testing.assert_array_equal(crop.boxes, [[2, 1, 12, 6]])
    assert crop.size == (6, 30)
    np.testing.assert_allclose(crop.seen, [0.5])


@pytest.mark.parametrize("turns", range(4))
def test_boxes_go_with_their_pixels(turns):
    image = np.zeros((40, 60, 3), "uint8")
    image[5:15, 10:22] = 255
    size = (60, 40) if turns % 2 else (40, 60)
    warp = Warp(about(quarter_turn(turns), size, (29.5, 19.5)), size)
    left, top, right, bottom = truth([10, 5, 22, 15]).moved(warp).boxes[0].astype(int)
    turned = warp.image(image)
    assert turned[top:bottom, left:right].min() == 255
    assert turned.astype(int).sum() == image.astype(int).sum()


def test_a_rotation_gives_the_enclosing_box():
    half = np.sqrt(0.5)
    warp = Warp(about(linear(half, -half, half, half), (40, 60), (29.5, 19.5)), (40, 60))
    moved = truth([25, 15, 35, 25]).moved(warp)  # about the middle, (30, 20)
    reach = 10 * half
    np.testing.assert_allclose(moved.boxes, [[30 - reach, 20 - reach, 30 + reach, 20 + reach]], atol=1e-4)


def test_zoom_changes_boxes_and_areas():
    boxes = truth([10, 10, 20, 20], areas=np.array([50], "float32"))
    moved = boxes.moved(Warp(about(linear(0.5, 0, 0, 0.5), (40, 60), (14.5, 14.5)), (40, 60)))
    np.testing.assert_allclose(moved.boxes, [[20, 10, 40, 30]])
    np.testing.assert_allclose(moved.areas, [200])
    np.testing.assert_allclose(moved.seen, [1])


def test_shares_of_what_is_seen_multiply_and_what_is_outside_is_gone():
    boxes = truth([0, 0, 20, 10], [40, 0, 50, 10])
    boxes = dataclasses.replace(boxes, areas=np.array([100, 9], "float32"))
    once = boxes.moved(Warp(shifted(10, 0), (40, 20)))
    np.testing.assert_allclose(once.seen, [0.5])
    np.testing.assert_allclose(once.areas, [50])
    np.testing.assert_array_equal(once.labels, [0])
    np.testing.assert_allclose(once.moved(Warp(shifted(5, 0), (40, 20))).seen, [0.25])


def test_the_smallest_piece_is_left_until_it_is_asked_for():
    assert len(truth([0, 0, 10.5, 1]).moved(Warp(shifted(10, 0), (40, 20))).boxes) == 1
    assert len(truth([0, 0, 10, 1]).moved(Warp(shifted(10, 0), (40, 20))).boxes) == 0


def test_too_little_is_no_object_unless_it_is_a_crowd():
    boxes = truth([9, 5, 18, 14], [9, 5, 18, 14], [9, 5, 18, 7], [9, 5, 11, 7], crowd=[3])
    boxes = dataclasses.replace(boxes, seen=np.array([0.25, 0.2, 1, 0.1], "float32"))
    np.testing.assert_array_equal(boxes.seen_enough(0.25, 3).labels, [0, 0])
    np.testing.assert_array_equal(boxes.seen_enough(0.0, 0).labels, boxes.labels)
    whole = dataclasses.replace(boxes, seen=None)
    np.testing.assert_array_equal(whole.seen_enough(1.0, 3).labels, [0, 1, 0])


def test_augmentation_leaves_out_what_is_hardly_seen():
    image = np.zeros((40, 60, 3), "uint8")
    sample = Sample(image, truth([0, 0, 30, 40], [28, 0, 60, 40]), "a")
    for seed in range(20):
        moved = augment(sample, Augmentation(crop=(40, 32)), np.random.default_rng(seed))
        assert moved.truth.size == (40, 32)
        assert (moved.truth.seen >= 0.25).all()
        every = augment(sample, Augmentation(crop=(40, 32), least_seen=0), np.random.default_rng(seed))
        assert len(every.truth.boxes) >= len(moved.truth.boxes)
        none = augment(sample, Augmentation(crop=(40, 32), least_size=41), np.random.default_rng(seed))
        assert len(none.truth.boxes) == 0


def test_focus_brings_a_box_to_the_middle():
    boxes = truth([40, 20, 50, 30])
    settings = Augmentation(crop=(20, 20), focus=0.5)
    moved = augment(Sample(np.zeros((40, 60, 3), "uint8"), boxes, "a"), settings, np.random.default_rng(0))
    np.testing.assert_allclose(moved.truth.boxes, [[5, 5, 15, 15]], atol=1e-4)


# --- counting and joining ---------------------------------------------------------------------


def test_boxes_are_counted_by_class_without_crowds():
    boxes = truth([0, 0, 9, 9], [0, 0, 50, 40], [0, 0, 9, 9], [0, 0, 9, 9], size=(400, 400), crowd=[3])
    np.testing.assert_array_equal(boxes.counts(3), [1, 1, 1, 0])
    assert boxes.counts(3).dtype == np.int64
    assert truth().counts(2).tolist() == [0, 0, 0]


def test_the_tally_tells_sizes_and_flags():
    boxes = truth([0, 0, 9, 9], [0, 0, 50, 40], [0, 0, 200, 90], [0, 0, 9, 9], crowd=[3], difficult=[0, 1])
    expected = {"boxes": 3, "small boxes": 1, "medium boxes": 1, "large boxes": 1, "crowd boxes": 1,
                "difficult boxes": 2, "images without boxes": 0}  # fmt: skip
    assert boxes.tally() == expected
    assert truth().tally() == dict.fromkeys(expected, 0) | {"images without boxes": 1}
    told = truth([0, 0, 50, 40], areas=np.array([1000], "float32")).tally()
    assert (told["small boxes"], told["medium boxes"]) == (1, 0)


def test_sizes_and_shapes_are_measured():
    found = truth([10, 5, 20, 45], [30, 10, 50, 15]).measures()
    np.testing.assert_allclose(found["box size (pixels)"], [20, 10])
    np.testing.assert_allclose(found["box width / height"], [0.25, 4])
    np.testing.assert_array_equal(found["boxes in an image"], [2])
    assert [len(numbers) for numbers in truth().measures().values()] == [0, 0, 1]


def test_parts_are_joined():
    one, other = truth([0, 0, 2, 2], image=7), truth([1, 1, 3, 3], [2, 2, 9, 9], crowd=[1], image=8)
    other = dataclasses.replace(other, seen=np.array([0.5, 1], "float32"))
    whole = joined([one, other])
    np.testing.assert_array_equal(whole.boxes, [[0, 0, 2, 2], [1, 1, 3, 3], [2, 2, 9, 9]])
    np.testing.assert_array_equal(whole.labels, [0, 0, 1])
    np.testing.assert_array_equal(whole.crowd, [False, False, True])
    np.testing.assert_array_equal(whole.seen, [1, 0.5, 1])
    np.testing.assert_array_equal(whole.areas, [4, 4, 49])
    assert whole.image == 7

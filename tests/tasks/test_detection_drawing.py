"""Boxes on images: in their places, in their colours, with their names."""

import numpy as np
import pytest

from kerazoo.draw import PALETTE
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.tasks.detection.drawing import draw_boxes

NAMES = ("cat", "dog")


def found(boxes, labels=None):
    labels = np.zeros(len(boxes), "int32") if labels is None else np.array(labels, "int32")
    return Detections(np.array(boxes, "float32"), labels, np.linspace(0.9, 0.5, len(boxes), dtype="float32"))


def grey(height=400, width=500):
    return np.full((height, width, 3), 128, "uint8")


def of_colour(image, label):
    """Return where an image has the colour of a class: bool `(H, W)`."""
    return (image == PALETTE[1 + label]).all(axis=-1)


def test_outlines_lie_just_inside_the_edges():
    image = grey()
    shown = draw_boxes(image, found([[100, 150, 200, 250]], [1]), NAMES)
    assert (image == 128).all()
    assert shown.shape == image.shape
    rows, columns = np.nonzero(of_colour(shown, 1)[150:, :])
    assert (columns.min(), columns.max()) == (100, 199)
    assert rows.max() + 150 == 249
    assert (shown[160:240, 110:190] == 128).all()
    assert not of_colour(shown, 0).any()


def test_the_tag_stands_above_and_below_where_there_is_no_room():
    above = draw_boxes(grey(), found([[100, 150, 200, 250]]), NAMES)
    assert of_colour(above, 0)[120:149, 100:200].sum() > 200
    below = draw_boxes(grey(), found([[100, 2, 200, 250]]), NAMES)
    assert of_colour(below, 0)[252:280, 100:200].sum() > 200
    inside = draw_boxes(grey(), found([[100, 0, 200, 400]]), NAMES)
    assert of_colour(inside, 0)[5:20, 104:190].sum() > 200


def test_the_better_box_is_on_top_and_keeps_its_tag():
    boxes = [[100, 150, 200, 250], [100, 150, 200, 250]]
    shown = draw_boxes(grey(), found(boxes, [0, 1]), NAMES)
    assert of_colour(shown, 0)[150:250].any()
    assert not of_colour(shown, 1)[153:248].any()
    assert of_colour(shown, 0)[120:149].any()
    assert of_colour(shown, 1)[250:290].any()  # the worse one's tag is below


@pytest.mark.parametrize(("height", "factor"), [(100, 4), (300, 2), (320, 1), (3000, 1)])
def test_small_images_are_enlarged_and_letters_grow_with_large_ones(height, factor):
    width = height * 4 // 3
    box = np.array([[0.3 * width, 0.5 * height, 0.5 * width, 0.9 * height]])
    shown = draw_boxes(grey(height, width), found(box), NAMES)
    assert shown.shape == (factor * height, factor * width, 3)
    rows, _ = np.nonzero(of_colour(shown, 0))
    tag = factor * height * 0.5 - rows.min()
    assert max(13, len(shown) / 40) <= tag <= max(24, len(shown) / 25)


def test_crowds_of_boxes_leave_tags_out_and_do_not_fail():
    rng = np.random.default_rng(0)
    corners = rng.uniform(-20, 480, (300, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 60, (300, 2))], axis=1)
    shown = draw_boxes(grey(), found(boxes), NAMES)
    assert 0.05 < of_colour(shown, 0).mean() < 0.9


def test_many_tags_on_a_large_image_leave_what_they_are_about_to_be_seen():
    places = np.stack(np.meshgrid(np.arange(24), np.arange(24)), axis=-1).reshape(-1, 2) * 120
    boxes = np.concatenate([places + 20, places + 100], axis=1)
    shown = draw_boxes(grey(3000, 3000), found(boxes), NAMES)
    assert of_colour(shown, 0).mean() < 0.25
    assert (shown == 128).all(axis=-1).mean() > 0.6


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (17, 13)])
def test_images_of_any_size_can_be_drawn_on(size):
    shown = draw_boxes(grey(*size), found([[0, 0, size[1], size[0]], [0, 0, 1, 1]], [0, 1]), NAMES)
    assert shown.dtype == np.uint8


def test_truths_say_what_is_special_about_them():
    boxes = np.array([[100, 150, 200, 250], [300, 150, 400, 250]], "float32")
    flags = np.array([False, True]), np.array([False, False])
    plain, crowd = (
        draw_boxes(grey(), Boxes(boxes, np.zeros(2, "int32"), each, flags[1], (400, 500)), NAMES)
        for each in (flags[1], flags[0])
    )
    assert of_colour(crowd, 0)[120:149].sum() > of_colour(plain, 0)[120:149].sum()
    nothing = draw_boxes(grey(), found(np.zeros((0, 4))), NAMES)
    assert (nothing == 128).all()


def test_names_of_any_language_are_drawn():
    draw_boxes(grey(), found([[100, 150, 200, 250]]), ["猫\n\x1b" * 30])

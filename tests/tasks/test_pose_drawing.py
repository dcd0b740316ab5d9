"""Skeletons on images: what is known is drawn where it is, what is not is left out."""

import numpy as np
import pytest

from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.skeleton import COCO17, FACE68, FACE98, Skeleton
from kerazoo.tasks.pose.drawing import draw_people

LINE = Skeleton(points=("a", "b", "c"), limbs=((0, 1), (1, 2)))
GREY = np.full((100, 200, 3), 128, "uint8")


def truth(points, visible, skeleton=LINE):
    points = np.array(points, "float32")
    count = len(points)
    return People(
        points, np.array(visible, "uint8"), np.zeros((count, 4)), np.full(count, 1e3, "float32"), skeleton
    )


def changed(shown):
    return (shown != 128).any(axis=-1)


def test_limbs_and_points_lie_where_they_are():
    shown = draw_people(GREY, truth([[[20, 50], [100, 50], [100, 90]]], [[2, 2, 2]]), LINE)
    red, cyan = LINE.limb_colours()
    assert (shown[50, 60] == red).all()
    assert (shown[70, 100] == cyan).all()
    assert (shown[50, 20] == red).all()
    assert not changed(shown)[:40].any()
    assert not changed(shown)[:, 120:].any()
    assert (GREY == 128).all()  # the image itself is not drawn on


@pytest.mark.parametrize("unknown", [0, 2])
def test_what_is_not_known_is_left_out_with_its_limbs(unknown):
    visible = np.full((1, 3), 2)
    visible[0, unknown] = 0
    shown = draw_people(GREY, truth([[[20, 50], [100, 50], [100, 90]]], visible), LINE)
    places = {0: (50, 60), 2: (70, 100)}
    assert changed(shown)[places[2 - unknown]]
    assert not changed(shown)[places[unknown]]


def test_bridges_are_not_drawn():
    bridged = Skeleton(points=("a", "b", "c"), limbs=((0, 1), (1, 2)), bridges=(1,))
    shown = draw_people(GREY, truth([[[20, 50], [100, 50], [100, 90]]], [[2, 2, 2]]), bridged)
    assert changed(shown)[50, 60]
    assert not changed(shown)[70, 100]


def test_a_result_is_drawn_like_a_truth():
    points = np.array([[[20, 50, 0.9], [100, 50, 0.1], [100, 90, 0.0]]], "float32")
    expected = draw_people(GREY, truth(points[..., :2], [[2, 2, 0]]), LINE)
    assert (draw_people(GREY, Poses(points, np.ones(1)), LINE) == expected).all()


def test_hidden_points_are_hollow():
    shown = draw_people(GREY, truth([[[20, 50], [100, 50], [180, 50]]], [[1, 2, 2]]), LINE)
    assert (shown[50, 20] == 255).all()
    assert not (shown[50, 100] == 255).all()


def test_sticks_go_by_the_size_of_the_person_and_of_the_image():
    def thickness(scale, image=GREY):
        points = np.array([[[20, 40], [20 + 60 * scale, 40], [20 + 120 * scale, 40]]])
        return changed(draw_people(image, truth(points, [[2, 2, 2]]), LINE))[:, round(20 + 30 * scale)].sum()

    assert thickness(0.2) < thickness(1.0)
    assert thickness(1.0) > thickness(1.0, GREY[:50])  # less of a small image is covered


def test_the_best_person_is_on_top():
    points = np.array([[[20, 50], [180, 50], [0, 0]], [[100, 20], [100, 80], [0, 0]]])
    cross = Skeleton(points=("a", "b", "c"), limbs=((0, 1), (1, 2), (0, 2)))
    state = np.array([[2, 2, 0], [2, 2, 0]])
    alone = draw_people(GREY, truth(points[:1], state[:1], cross), cross)
    assert (draw_people(GREY, truth(points, state, cross), cross)[50, 90:110] == alone[50, 90:110]).all()


@pytest.mark.parametrize("skeleton", [FACE68, FACE98, COCO17, Skeleton(points=("only",))])
def test_any_skeleton_of_any_size_anywhere(skeleton):
    rng = np.random.default_rng(0)
    points = rng.uniform(-500, 700, (4, len(skeleton.points), 3)).astype("float32")
    points[0] = 1e9
    points[1, ::2] = np.nan
    points[2, :, 2] = 0.0
    shown = draw_people(GREY, Poses(points, np.ones(4)), skeleton)
    assert shown.shape == GREY.shape
    nobody = np.zeros((0, len(skeleton.points), 3), "float32")
    assert (draw_people(GREY, Poses(nobody, np.zeros(0)), skeleton) == GREY).all()

"""Truths and results by hand: what they count, how they move, what they say is right."""

import numpy as np
import pytest

from kerazoo.structures.episodes import Answers, Episode
from kerazoo.structures.images import Partners, Real
from kerazoo.structures.keypoints import People
from kerazoo.structures.label import Label
from kerazoo.structures.mask import VOID, Mask
from kerazoo.structures.pairs import Couples, Distances
from kerazoo.structures.placement import Placement, Window, reflected_window
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import Skeleton
from kerazoo.structures.warp import Warp, shifted

IMAGE = np.arange(4 * 6 * 3, dtype="uint8").reshape(4, 6, 3)
MOVED = Warp(shifted(1.0, 2.0), (2, 3))  # rows 2 and 3, columns 1 to 3
PAIR = Skeleton(points=("left", "right"), flips=((0, 1),))


def people(visible=((2, 0), (1, 2), (0, 0)), **changes):
    points = np.array([[[1, 2], [3, 3]]] * 3, "float32")
    boxes = np.array([[1, 2, 2, 1]] * 3, "float32")
    return People(points, np.array(visible, "uint8"), boxes, np.ones(3, "float32"), PAIR, **changes)


@pytest.mark.parametrize(
    ("truth", "counts"),
    [
        (Episode(("a", "b"), shots=1), [0, 0, 0, 1]),
        (Label(1), [0, 1, 0, 0]),
        (Real(1, IMAGE), [0, 1, 0, 0]),
        (Partners([]), [1, 0, 0, 0]),
        (Couples(np.array([True, False])), [0, 0, 0, 2]),
        (Mask(np.array([[0, 2, 2], [VOID, VOID, VOID]], "uint8")), [1, 0, 2, 3]),
        (Mask(np.array([[0, 2, 2]], "uint8")), [1, 0, 2, 0]),
    ],
)
def test_what_truths_count_of_three_classes_and_of_none(truth, counts):
    told = truth.counts(3)
    np.testing.assert_array_equal(told, counts)
    assert told.dtype == np.int64


def test_people_count_labelled_points_and_those_that_are_not():
    told = people(crowds=np.zeros((3, 4), "float32"))
    np.testing.assert_array_equal(told.counts(2), [2, 1, 3])
    assert told.counts(2).dtype == np.int64
    assert told.tally() == {"people": 2, "crowds": 3}


def test_people_have_defaults():
    truth = people()
    assert (truth.image, truth.origin, truth.score, truth.category) == (0, (0.0, 0.0), 1.0, 1)
    assert truth.crowds.shape == (0, 4)
    assert truth.ignore is None


def test_points_on_the_border_of_the_window_are_inside():
    """Pixel centres are whole numbers: a window of 3 columns reaches from -0.5 to 2.5."""
    truth = people(((2, 2), (2, 2), (2, 2)))
    truth.points[:] = [
        [[0.5, 2.0], [3.4, 2.0]],
        [[0.4, 2.0], [3.5, 2.0]],
        [[1.0, 1.5], [1.0, 3.6]],
    ]
    np.testing.assert_array_equal(truth.moved(MOVED).visible, [[2, 2], [0, 0], [2, 0]])


def test_what_knows_no_place_moves_as_it_is():
    for truth in (Episode(("a",), 1), Label(2), Couples(np.ones(1, bool)), Partners([])):
        assert truth.moved(MOVED) is truth


def test_masks_and_images_move():
    np.testing.assert_array_equal(Mask(IMAGE[..., 0]).moved(MOVED).labels, IMAGE[2:4, 1:4, 0])
    moved = Real(1, IMAGE).moved(MOVED)
    assert moved.domain == 1
    np.testing.assert_array_equal(moved.image, IMAGE[2:4, 1:4])


def test_a_partner_is_any_of_the_others_and_keeps_its_domain():
    partners = Partners([Sample(IMAGE + n, Real(1, IMAGE + n), str(n)) for n in range(3)])
    drawn = [partners.partner(np.random.default_rng(seed)) for seed in range(20)]
    assert {sample.name for sample in drawn} == {"0", "1", "2"}
    joined = partners.with_partner(drawn[0])
    assert joined.domain == 1
    assert joined.image is drawn[0].image


# --- results ----------------------------------------------------------------------------------


def test_queries_are_right_whose_own_class_is_the_most_probable():
    answers = Answers(np.array([[[0.6, 0.4], [0.1, 0.9]], [[0.3, 0.7], [0.2, 0.8]]], "float32"))
    np.testing.assert_array_equal(answers.right(), [[True, False], [True, True]])


def test_pairs_are_the_first_two_images_of_each_row():
    between = np.arange(2 * 3 * 2 * 3, dtype="float32").reshape(2, 3, 2, 3)
    np.testing.assert_array_equal(Distances(between).of_pairs(), [between[0, 0, 0, 1], between[1, 0, 1, 1]])


def test_queries_are_as_far_from_a_class_as_from_its_nearest_image():
    rng = np.random.default_rng(0)
    between = rng.random((3, 4, 3, 4)).astype("float32")
    told = Distances(between).of_queries(shots=2)
    assert told.shape == (3, 2, 3)
    for row in range(3):
        for query in range(2):
            for other in range(3):
                expected = min(between[row, 2 + query, other, 0], between[row, 2 + query, other, 1])
                assert told[row, query, other] == expected
    right = told.argmin(axis=-1) == np.arange(3)[:, None]
    np.testing.assert_array_equal(Distances(between).right(2), right)
    assert right.any()
    assert not right.all()


# --- placements -------------------------------------------------------------------------------


def test_a_windows_borders_are_the_inputs():
    window = Window(left=10, top=20, width=40, height=30, columns=8, rows=3)
    corners = np.array([[9.5, 19.5], [49.5, 49.5]])
    np.testing.assert_allclose(window.to_input(corners), [[-0.5, -0.5], [7.5, 2.5]])
    np.testing.assert_allclose(window.to_image(window.to_input(corners)), corners)
    np.testing.assert_allclose(window.to_image(np.array([0.0, 0.0])), [12.0, 24.5])  # centre of 5 x 10


@pytest.mark.parametrize(
    "placement",
    [(0, 0, 4, 6), (1, 2, 3, 4), (-1, 0, 4, 6), (0, -1, 4, 6), (1, 0, 4, 6), (0, 1, 4, 6), (-9, -7, 25, 31)],
)
def test_windows_are_cut_out_of_the_mirrored_image(placement):
    top, left, height, width = placement
    whole = np.pad(IMAGE, ((30, 30), (30, 30), (0, 0)), mode="reflect")
    expected = whole[30 + top : 30 + top + height, 30 + left : 30 + left + width]
    np.testing.assert_array_equal(reflected_window(IMAGE, Placement(*placement)), expected)


@pytest.mark.parametrize("placement", [(0, 0, 4, 6), (1, 2, 3, 4), (1, 0, 3, 6)])
def test_windows_inside_the_image_are_views(placement):
    assert np.shares_memory(reflected_window(IMAGE, Placement(*placement)), IMAGE)


def test_a_row_of_pixels_is_its_own_mirror_image():
    row = IMAGE[:1]
    np.testing.assert_array_equal(reflected_window(row, Placement(-1, 0, 3, 6)), np.repeat(row, 3, axis=0))
    both = reflected_window(IMAGE[:2], Placement(-3, 0, 7, 6))
    np.testing.assert_array_equal(both, IMAGE[[1, 0, 1, 0, 1, 0, 1]])

"""Overlap of boxes against the golden file, in NumPy and as losses with gradients."""

import functools

import numpy as np
import pytest
from keras import ops

from kerazoo import backend
from kerazoo.structures.boxes import box_areas
from kerazoo.tasks.detection import overlaps
from kerazoo.tasks.detection.box_losses import box_loss

KINDS = ("iou", "giou", "diou", "ciou")
DARKNET = functools.partial(overlaps.diou, exponent=0.6)


@pytest.fixture(scope="module")
def golden():
    from tests.conftest import SHARED

    path = SHARED / "parity/golden/box_losses.npz"
    if not path.is_file():
        pytest.skip(f"no golden file at {path}; set KERAZOO_SHARED")
    return dict(np.load(path))


def losses_and_gradients(kind, boxes, targets):
    """Return `box_loss` of pairs and its gradients: float `(P,)` and `(P, 4)`."""
    boxes, targets = (ops.convert_to_tensor(each.astype("float32")) for each in (boxes, targets))
    losses = box_loss(boxes, targets, kind)
    (gradient,) = backend.gradients(lambda v: ops.sum(box_loss(v[0], targets, kind)), [boxes], again=False)
    return ops.convert_to_numpy(losses), ops.convert_to_numpy(gradient)


@pytest.mark.parametrize("name", [*KINDS, "diou_exponent06"])
def test_pairs_equal_the_golden_file(golden, name):
    measure = DARKNET if name == "diou_exponent06" else getattr(overlaps, name)
    boxes, others = golden["pred"].astype("float64"), golden["target"].astype("float64")
    np.testing.assert_allclose(measure(boxes, others), golden[f"{name}_64"], atol=1e-9)
    every = measure(boxes[:, None], others)
    assert every.shape == (64, 64)
    np.testing.assert_allclose(np.diag(every), golden[f"{name}_64"], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_equal_the_golden_file(golden, kind):
    losses, gradients = losses_and_gradients(kind, golden["pred"], golden["target"])
    np.testing.assert_allclose(losses, 1 - golden[f"{kind}_64"], atol=2e-6)
    expected = golden[f"grad_{kind}_loss_64"]
    np.testing.assert_allclose(gradients, expected, atol=1e-4 * np.abs(expected).max())
    others = [golden[f"grad_{other}_loss_64"] for other in KINDS if other != kind]
    assert min(np.abs(gradients - other).max() for other in others) > 1e-2 * np.abs(expected).max()


def test_boxes_of_two_by_two_by_hand():
    boxes, others = np.array([0.0, 0, 2, 2]), np.array([[1.0, 0, 3, 2], [0, 0, 2, 2], [5, 0, 6, 1]])
    np.testing.assert_allclose(overlaps.iou(boxes, others), [1 / 3, 1, 0])
    np.testing.assert_allclose(overlaps.giou(boxes, others), [1 / 3, 1, -(12 - 5) / 12])
    np.testing.assert_allclose(overlaps.diou(boxes, others), [1 / 3 - 1 / 13, 1, -(4.5**2 + 0.5**2) / 40])
    np.testing.assert_allclose(overlaps.covered(others, boxes), [0.5, 1, 0])
    assert box_areas(np.array([[1.0, 1, 3, 4], [3, 1, 1, 4]])).tolist() == [6, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_of_degenerate_boxes_are_finite(kind):
    boxes = np.array([[1, 1, 4, 4], [3, 3, 3, 3], [3, 1, 3, 9], [5, 5, 2, 2]], "float32")
    losses, gradients = losses_and_gradients(kind, boxes, np.array([[1.0, 1, 4, 4]]))
    assert (np.abs(losses) < 1e-6).tolist() == [True, False, False, False]
    assert np.isfinite(losses).all()
    assert np.isfinite(gradients).all()
    assert np.isfinite(getattr(overlaps, kind)(boxes, boxes[0])).all()

"""The threshold of a binary mask: chosen on the validation data, and only where it helps."""

import numpy as np
import pytest

from kerazoo.families.unet import UNet
from kerazoo.structures.mask import VOID, Mask, Segmented
from kerazoo.task import Options

RNG = np.random.default_rng(0)
BINARY = UNet(classes=1)


def pairs(cut, noise=0.0):
    """Images whose second class is where the probability, but for some noise, is above a value."""
    for _ in range(4):
        probability = RNG.random((40, 50, 1), "float32")
        truth = (probability[..., 0] + noise * RNG.standard_normal((40, 50)) > cut).astype("uint8")
        truth[0] = VOID
        yield Mask(truth), BINARY.label(probability)


@pytest.mark.parametrize("cut", [0.2, 0.35, 0.7])
def test_another_threshold_is_found(cut):
    scores = BINARY.evaluate(pairs(cut)).numbers
    assert scores["threshold"] == pytest.approx(cut, abs=0.006)
    chosen = BINARY.calibrated(scores)
    assert chosen.cut() == scores["threshold"]
    probability = np.array([[[cut - 0.02], [cut + 0.02]]], "float32")
    assert chosen.label(probability).labels.tolist() == [[0, 1]]
    assert chosen.calibrated({"threshold": 0.9}) is chosen  # what the user or the run says stays


def test_one_half_stays_where_nothing_is_gained():
    assert BINARY.evaluate(pairs(0.5)).numbers["threshold"] == 0.5
    assert BINARY.evaluate(pairs(0.5005, noise=0.2)).numbers["threshold"] == pytest.approx(0.5, abs=0.08)
    assert BINARY.evaluate([]).numbers["threshold"] == 0.5
    one_class = (
        Mask(np.zeros((8, 8), "uint8")),
        Segmented(np.zeros((8, 8), "uint8"), np.zeros((8, 8), "uint8")),
    )
    assert BINARY.evaluate([one_class]).numbers["threshold"] == 0.5


def test_several_classes_have_none():
    softmax = UNet(classes=3)
    result = softmax.label(RNG.random((5, 5, 3)))
    assert result.levels is None
    assert "threshold" not in softmax.evaluate([]).numbers


def test_tiles_have_the_levels_of_the_whole():
    image = RNG.integers(0, 255, (70, 90, 3), "uint8")

    def forward(x):
        return {"logits": x[..., :1]}

    tiled, whole = (next(BINARY.infer(forward, [image], Options(tile=tile))) for tile in (64, None))
    np.testing.assert_array_equal(tiled.levels, whole.levels)
    np.testing.assert_array_equal(tiled.labels, whole.labels)

"""Conv-4: sizes of the published networks."""

import numpy as np
import pytest

from kerazoo.families.conv4.model import conv4


@pytest.mark.parametrize(
    ("settings", "side", "features", "weights"),
    [
        ({}, 28, 64, 111_680),  # Omniglot: 28, 14, 7, 3, 1 cells
        ({"channels": 3}, 84, 1600, 112_832),  # miniImageNet: 84, 42, 21, 10, 5
        ({"pool": "stride", "features": "mean", "norm": "current", "scale": False}, 28, 64, 111_424),
        ({"pool": "stride", "norm": "current"}, 28, 256, 111_680),  # 28, 14, 7, 4, 2
    ],
)
def test_sizes_are_the_published_ones(settings, side, features, weights):
    network = conv4(**settings)
    x = np.zeros((2, side, side, settings.get("channels", 1)), "float32")
    assert network.predict_on_batch(x)["embedding"].shape == (2, features)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == weights


def test_a_classifier_of_flattened_cells_has_one_size():
    network = conv4(size=(84, 84), channels=3, classes=5, filters=32, norm="current", scale=False)
    assert network.input.shape[1:] == (84, 84, 3)
    # MAML's 32,773 but for the 128 biases of convolutions
    assert network.count_params() == 32_773 - 128

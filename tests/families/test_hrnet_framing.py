"""How images and boxes come into the frame of a top-down network."""

import cv2
import keras
import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.layers import Letterbox
from kerazoo.tasks.framing import box_window, letterbox, seen
from tests.hands import SMALL

SIZES = [(128, 96), (256, 192), (300, 211), (60, 97), (130, 90), (20, 700), (700, 20), (1, 1)]


@pytest.mark.parametrize("shape", SIZES)
def test_a_image_is_framed_whole_and_in_proportion(shape):
    frame = letterbox(*shape, (128, 96))
    assert frame.left <= 0 <= frame.left + frame.width - shape[1]
    assert frame.top <= 0 <= frame.top + frame.height - shape[0]
    assert abs(frame.width - frame.height * 96 / 128) <= 1
    assert frame.width == shape[1] or frame.height == shape[0]
    assert abs((frame.width - shape[1]) + 2 * frame.left) <= 1  # in the middle
    window = seen(np.full((*shape, 3), 255, "uint8"), frame)
    assert window.shape == (128, 96, 3)
    assert 126.99 < window.min()
    covered = shape[0] * shape[1] / (frame.width * frame.height)
    assert window.mean() == pytest.approx(127 + 128 * covered, abs=3)


def test_what_shrinks_is_averaged():
    stripes = np.zeros((256, 192, 3), "uint8")
    stripes[:, ::2] = 200
    np.testing.assert_array_equal(SMALL.prepare(stripes)[0], SMALL.normalised(np.full((128, 96, 3), 100)))


def test_points_are_where_their_pixels_went():
    image = np.full((301, 222, 3), 127, "uint8")
    cv2.circle(image, (150, 77), 9, (255, 255, 255), -1)
    for frame in (letterbox(301, 222, SMALL.size), box_window((100, 50, 70, 60), SMALL.size, 1.25)):
        weight = np.maximum(seen(image, frame)[..., 0] - 127.5, 0)
        y, x = np.indices(weight.shape)
        centre = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        np.testing.assert_allclose(frame.to_input(np.array([150, 77])), centre, atol=0.05)


def test_a_box_is_framed_with_its_margin():
    frame = box_window((100, 50, 80, 20), (128, 96), 1.25)
    assert (frame.width, frame.height) == (100, 133)
    assert (frame.left + frame.width / 2, frame.top + frame.height / 2) == (140, pytest.approx(60, abs=0.5))
    beside = seen(np.zeros((60, 60, 3), "uint8"), box_window((500, -400, 40, 40), (128, 96), 1.25))
    assert (beside == 127).all()


def test_a_training_window_is_taken_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), "uint8")
    x, frame = SMALL.prepare(image, whole=False)
    np.testing.assert_array_equal(x, SMALL.normalised(image))
    assert frame == (0, 0, 96, 64, 96, 64)
    with pytest.raises(UserError, match="60 x 96 pixels do not divide by 32; set augmentation.crop"):
        SMALL.prepare(image[:60], whole=False)


@pytest.mark.parametrize("shape", [(300, 211), (130, 90), (20, 700), (1, 1)])
def test_the_graph_frames_alike(shape):
    image = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), "uint8")
    found = keras.ops.convert_to_numpy(Letterbox((128, 96), [127.0] * 3)(image.astype("float32")))
    expected = [seen(each, letterbox(*shape, (128, 96))) for each in image]
    np.testing.assert_allclose(found, expected, atol=0.02)

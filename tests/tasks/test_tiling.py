"""Tiles against the whole image, with convolutions of known reach standing in for networks."""

import dataclasses

import cv2
import numpy as np
import pytest

from kerazoo import backend
from kerazoo.errors import UserError
from kerazoo.families.unet import UNet
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.structures.placement import Placement, reflected_window
from kerazoo.task import Options
from kerazoo.tasks.images import TILE, WHOLE
from kerazoo.tasks.segmentation.tiling import core_and_margin
from kerazoo.tasks.segmentation.tiling import whole_or_tiled as labels_of
from tests.tiny import TINY


def whole_or_tiled(task, network, image, options):
    return next(labels_of(task, network, [image], options))


SAME = UNetPlusPlus(classes=1, filters=(4, 8, 16))
VALID = UNet(classes=1, filters=(4, 8, 16), padding="valid")


def blurred(x, reach):
    """A network of logits that depend on `reach` pixels around, and on nothing else."""
    size = 2 * reach + 1
    seen = [cv2.blur(image.mean(axis=-1), (size, size), borderType=cv2.BORDER_REFLECT_101) for image in x]
    return np.stack(seen)[..., None]


def same_network(x):
    return {"logits": blurred(x, 5)}


def valid_network(x):
    context = VALID.context()
    return {"logits": blurred(x, 5)[:, context:-context, context:-context]}


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (150, 210, 3)).astype("uint8")


@pytest.mark.parametrize(("task", "network"), [(SAME, same_network), (VALID, valid_network)])
@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("tile", [96, 128])
def test_tiles_equal_the_whole_image(task, network, tta, tile, image):
    whole = whole_or_tiled(task, network, image, Options(tta=tta))
    tiled = whole_or_tiled(task, network, image, Options(tile=tile, tta=tta))
    assert 0.2 < whole.labels.mean() < 0.8
    assert (whole.labels == tiled.labels).all()


def test_test_time_averaging_makes_the_answer_turn_with_the_image(image):
    def leaning(x):
        logits = x[..., :1] + 0.5 * np.roll(x[..., :1], 1, axis=2)
        return {"logits": logits}

    straight = whole_or_tiled(SAME, leaning, image, Options(tta=True))
    turned = whole_or_tiled(SAME, leaning, np.rot90(image), Options(tta=True))
    agreement = (np.rot90(straight.labels) == turned.labels).mean()
    assert agreement > 0.999
    plain = whole_or_tiled(SAME, leaning, np.rot90(image), Options())
    other = whole_or_tiled(SAME, leaning, image, Options())
    assert (np.rot90(other.labels) != plain.labels).mean() > 0.01


def test_tile_without_room_for_a_core_is_refused(image):
    with pytest.raises(UserError, match="--tile at least"):
        whole_or_tiled(
            dataclasses.replace(VALID, filters=(4, 8, 16, 32, 64)), valid_network, image, Options(tile=96)
        )


def test_mirrored_window_equals_numpy_reflection():
    image = np.arange(5 * 7).reshape(5, 7)
    window = reflected_window(image, Placement(-6, -3, 20, 30))
    assert (window == np.pad(image, ((6, 9), (3, 20)), mode="reflect")).all()


def test_mirrored_window_of_a_single_pixel():
    assert (reflected_window(np.array([[3]]), Placement(-2, -2, 5, 5)) == 3).all()


def test_tiles_of_the_valid_unet_equal_the_whole_image(image):
    task = TINY["unet-valid"]
    forward = backend.forward(task.build())
    whole = whole_or_tiled(task, forward, image, Options()).labels
    assert len(np.unique(whole)) > 1
    tiled = whole_or_tiled(task, forward, image, Options(tile=100)).labels
    assert (whole != tiled).mean() < 1e-4  # a tie may fall the other way by rounding


def test_tiles_of_a_same_padding_network_equal_the_whole_image_away_from_borders(image):
    task = TINY["unetpp"]  # sees 18 pixels around each
    forward = backend.forward(task.build())
    whole = whole_or_tiled(task, forward, image, Options()).labels
    tiled = whole_or_tiled(task, forward, image, Options(tile=128)).labels
    assert 0 < whole.mean() < 1
    inner = np.s_[24:-24, 24:-24]  # beyond, zeros and mirrored pixels differ
    assert (whole[inner] != tiled[inner]).mean() < 1e-4


def test_large_images_are_predicted_in_tiles_by_themselves():
    shapes = []

    def watched(x):
        shapes.append(x.shape[1:3])
        return same_network(x)

    large = np.random.default_rng(0).integers(0, 256, (WHOLE // 2048, 2100, 3)).astype("uint8")
    result = whole_or_tiled(SAME, watched, large, Options())
    assert max(max(shape) for shape in shapes) == TILE
    assert result.labels.shape == large.shape[:2]
    shapes.clear()
    whole_or_tiled(SAME, watched, large[:, :2048], Options())
    assert shapes == [(WHOLE // 2048, 2048)]


def test_small_tiles_keep_a_stride_of_context_at_least():
    assert core_and_margin(SAME, 16) == (8, 4)  # of stride 4


def test_images_of_one_shape_and_tiles_share_batches(image):
    sizes = []

    def counted(x):
        sizes.append(len(x))
        return same_network(x)

    images = [image, image[::-1], image[:, ::-1], image[:100], image]
    together = list(labels_of(SAME, counted, iter(images), Options(batch_size=2)))
    assert sizes == [2, 1, 1, 1]
    for each, result in zip(images, together, strict=True):
        assert (result.labels == whole_or_tiled(SAME, same_network, each, Options()).labels).all()
    sizes.clear()
    next(labels_of(SAME, counted, [image], Options(tile=64, batch_size=4)))
    assert max(sizes) == 4
    assert len(sizes) > 3

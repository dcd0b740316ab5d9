"""Drawn faces: landmarks where 300W has them, the same for the same seed, whole and in windows."""

import time

import numpy as np
import pydantic
import pytest

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.generated.faces import draw_face
from kerazoo.data.generated.sources import Faces
from kerazoo.data.keypoints.windows import Windows
from kerazoo.structures.skeleton import FACE68, FACE98
from kerazoo.structures.warp import Warp, about, linear

SIZE = (160, 160)


@pytest.fixture(scope="module")
def faces():
    return [draw_face(np.random.default_rng(seed), SIZE) for seed in range(80)]


def test_the_seed_decides_everything(faces):
    for one, other in zip(draw_face(np.random.default_rng(3), SIZE), faces[3], strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(faces[3].image, faces[4].image)
    assert not np.array_equal(faces[3].points, faces[4].points)


def test_landmarks_are_in_300ws_order(faces):
    """Of faces that are not tilted: contours go the right way round, pairs are on their sides."""
    places = np.stack([face.points for face in faces])
    across = places[:, 45] - places[:, 36]
    upright = np.abs(across[:, 1]) < 0.15 * across[:, 0]
    assert upright.sum() > 20
    x, y = np.moveaxis(places[upright], -1, 0)
    for left, right in FACE68.flips:
        low, high = sorted((left, right), key=lambda point: np.median(x[:, point]))
        assert (x[:, low] < x[:, high] + 2).all(), (low, high)
    assert (x[:, 0] < x[:, 16]).all()
    assert (y[:, 8] > y[:, [57, 33, 30, 27]].max(axis=1)).all()
    for upper, lower in ((19, 37), (37, 41), (44, 46), (27, 30), (30, 33), (33, 51), (51, 57), (62, 66)):
        assert (y[:, upper] <= y[:, lower] + 2).all(), (upper, lower)


def test_visible_landmarks_are_in_the_image(faces):
    states = np.stack([face.visible for face in faces])
    assert set(np.unique(states)) == {0, 1, 2}
    assert (states == 2).mean() > 0.85
    for face in faces:
        inside = ((face.points >= -0.5) & (face.points < 159.5)).all(axis=1)
        np.testing.assert_array_equal(face.visible > 0, inside)
        assert face.image.shape == (*SIZE, 3)


def test_pupils_are_dark_and_whites_are_bright(faces):
    """Where an eye is open, its middle is darker than the white beside it."""
    darker = []
    for image, points, visible in faces:
        for corner in (36, 42):
            eye = points[corner : corner + 6]
            if np.linalg.norm(eye[1] - eye[5]) > 6 and (visible[corner : corner + 6] == 2).all():
                x, y = np.rint(eye.mean(axis=0)).astype(int)
                around = image[y - 1 : y + 2, round(eye[:, 0].min()) : round(eye[:, 0].max())]
                darker.append(image[y, x].mean() < around.mean())
    assert len(darker) > 15
    assert np.mean(darker) > 0.9


def test_faces_as_a_source():
    source = Faces(train=5, validation=3, test=2)
    samples = [source.samples(split) for split in ("train", "val", "test")]
    assert [len(part) for part in samples] == [5, 3, 2]
    assert len({sample.image.tobytes() for part in samples for sample in part}) == 10
    truth = samples[0][0].truth
    left, top, width, height = truth.boxes[0]
    assert truth.points[0].min(axis=0).tolist() == [left, top]
    assert 0.4 * width * height < truth.areas[0] < width * height
    assert settings.from_plain(settings.to_plain(source)) == source
    report = check(source)
    assert (report.splits, report.tally["people"]) == ({"train": 5, "val": 3, "test": 2}, 10)
    with pytest.raises(pydantic.ValidationError, match="68 landmarks"):
        Faces(skeleton=FACE98)


def test_faces_in_windows():
    source = Faces(train=5, validation=3, windows=Windows(aspect=1.0, margin=1.25))
    for split, larger in (("train", 2), ("val", 1)):
        for sample, whole in zip(
            source.samples(split), Faces(train=5, validation=3).samples(split), strict=True
        ):
            side = round(1.25 * larger * max(whole.truth.boxes[0, 2:]))
            assert sample.image.shape == (side, side, 3)
            np.testing.assert_allclose(
                sample.truth.points + sample.truth.origin, whole.truth.points, atol=1e-3
            )


def test_a_mirrored_face_is_a_face():
    """After a flip, corners of the eyes and the jaw are where an unflipped face has them."""
    sample = Faces(train=1).samples("train")[0]
    mirror = Warp(about(linear(-1, 0, 0, 1), SIZE, (79.5, 79.5)), SIZE)
    before, after = sample.truth.points[0], sample.truth.moved(mirror).points[0]
    for first, last in ((0, 16), (36, 45), (48, 54), (31, 35)):
        assert np.sign(after[last, 0] - after[first, 0]) == np.sign(before[last, 0] - before[first, 0])
    np.testing.assert_allclose(
        after[[8, 27, 33, 51, 57]], (159, 0) + before[[8, 27, 33, 51, 57]] * (-1, 1), atol=1e-3
    )


def test_drawing_is_quick():
    draw_face(np.random.default_rng(0), SIZE)
    start = time.process_time()
    for seed in range(20):
        draw_face(np.random.default_rng(seed), SIZE)
    assert (time.process_time() - start) / 20 < 0.015  # 2 ms on a busy machine

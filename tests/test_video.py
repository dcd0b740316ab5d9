"""Films: frames in their order and upright, an early end told, what was written kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from kerazoo import video
from kerazoo.errors import UserError
from kerazoo.video import Film, FilmWriter, camera, is_film
from tests.films import FRAMES, RATE, cut, film, index_first, picture, turned


def read(path):
    opened = Film(path)
    return opened, list(opened.frames())


def test_what_is_a_film():
    assert is_film(Path("a/clip.MP4"))
    assert is_film(Path("camera:1"))
    assert camera(Path("camera:12")) == 12
    assert not is_film(Path("a.png"))
    assert camera(Path("camera:one")) is None


def test_frames_come_in_order_in_rgb_and_with_their_times(tmp_path):
    opened, frames = read(film(tmp_path / "a.mp4"))
    assert (opened.rate, opened.count, opened.seen, opened.problem()) == (RATE, FRAMES, FRAMES, None)
    assert [frame.number for frame in frames] == list(range(FRAMES))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(FRAMES) / RATE, atol=1e-3)
    for frame in frames:
        assert frame.image.dtype == np.uint8
        difference = frame.image.astype(int) - picture(frame.number)
        assert np.abs(difference[20:, 20:].mean(axis=(0, 1))).max() < 6


def test_a_film_that_says_it_is_turned_comes_upright(tmp_path):
    _, frames = read(turned(film(tmp_path / "a.mp4", frames=2)))
    height, width = picture(0).shape[:2]
    assert frames[0].image.shape == (width, height, 3)
    assert frames[0].image[:10, -10:].min() > 200  # the bright square has gone to the upper right


@pytest.mark.parametrize("share", [0.75, 0.98])
@pytest.mark.parametrize(("name", "code"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v")])
def test_a_truncated_film_gives_what_it_has_and_says_so(name, code, share, tmp_path, capfd):
    path = film(tmp_path / name, code=code)
    if name == "a.mp4":
        index_first(path)
        assert read(path)[0].problem() is None
    opened, frames = read(cut(path, share))
    assert 0 < len(frames) <= FRAMES
    assert f"{name} ends after {len(frames)} of {FRAMES} frames" in opened.problem()
    assert capfd.readouterr().err == ""


def test_a_film_that_lacks_more_than_a_second_is_damaged(tmp_path):
    path = film(tmp_path / "a.avi", code="MJPG")
    data = bytearray(path.read_bytes())
    start = data.index(b"movi") + 200
    data[start : start + len(data) // 2] = bytes(len(data) // 2)
    opened = Film(path)
    opened.seen = FRAMES - int(RATE) - 1
    assert "ends after 1 of 12" in opened.problem()
    opened.seen = FRAMES - int(RATE)
    assert opened.problem() is None


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: cut(film(path), 0.5), "cannot be opened as a film"),
        (lambda path: path.write_bytes(b""), "cannot be opened as a film"),
        (lambda path: path.write_text("hello, I am a film"), "cannot be opened as a film"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_cannot_be_opened(make, expected, tmp_path, capfd):
    make(tmp_path / "a.mp4")
    with pytest.raises(UserError, match=f"a.mp4.*{expected}"):
        Film(tmp_path / "a.mp4")
    assert capfd.readouterr().err == ""


def test_ffmpeg_is_quiet_without_the_help_of_the_tests(tmp_path):
    path = cut(film(tmp_path / "a.mp4"), 0.5)
    variables = {key: value for key, value in os.environ.items() if not key.startswith("OPENCV")}
    code = f"from pathlib import Path; from kerazoo.video import Film; Film(Path({str(path)!r}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables).stderr
    assert "a.mp4 cannot be opened" in told
    assert "moov" not in told


def test_a_camera_that_is_not_there(capfd):
    with pytest.raises(UserError, match="there is no camera 97"):
        Film(Path("camera:97"))
    assert capfd.readouterr().err == ""


def test_a_camera_tells_the_time_and_no_count(tmp_path, monkeypatch):
    source = str(film(tmp_path / "a.mp4", frames=3))
    monkeypatch.setattr(video, "_capture", lambda cv2, path: cv2.VideoCapture(source))
    opened, frames = read(Path("camera:0"))
    assert opened.count is None
    assert 0 <= frames[0].seconds <= frames[1].seconds < 60
    assert "camera:0 gives no more frames" in opened.problem()


def written(path, frames, reason=None, noise=0):
    with FilmWriter(path, RATE) as writer:
        for number in range(frames):
            image = picture(number, (240, 320)) if noise else picture(number)
            writer.add(image + np.random.default_rng(0).integers(0, noise + 1, image.shape, "uint8"))
            assert not path.exists()
        if reason:
            raise reason


def test_what_is_written_can_be_read(tmp_path):
    written(tmp_path / "a.mp4", 5)
    opened, frames = read(tmp_path / "a.mp4")
    assert (opened.rate, len(frames)) == (RATE, 5)
    assert np.abs(frames[4].image[20:, 20:].mean(axis=(0, 1)) - [80, 60, 60]).max() < 6
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_frames_of_other_sizes_are_fitted(tmp_path):
    with FilmWriter(tmp_path / "a.mp4", RATE) as writer:
        for size in ((48, 64), (31, 77), (200, 20)):
            writer.add(picture(3, size))
    assert [frame.image.shape for frame in read(tmp_path / "a.mp4")[1]] == [(48, 64, 3)] * 3


def test_frames_of_a_camera_last_as_long_as_they_took(tmp_path):
    with FilmWriter(tmp_path / "a.mp4", RATE) as writer:
        for number, seconds in enumerate((0.0, 0.5, 0.51, 1.0)):
            writer.add(picture(number), seconds)
    assert len(read(tmp_path / "a.mp4")[1]) == 1 + 5 + 1 + 4


@pytest.mark.parametrize("reason", [KeyboardInterrupt, GeneratorExit, ZeroDivisionError])
def test_what_was_written_before_an_interruption_is_kept(reason, tmp_path):
    with pytest.raises(reason):
        written(tmp_path / "a.mp4", 2, reason)
    assert len(read(tmp_path / "a.mp4")[1]) == 2


def test_without_frames_there_is_no_film(tmp_path):
    written(tmp_path / "a.mp4", 0)
    assert os.listdir(tmp_path) == []


def test_a_film_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        written(tmp_path / "file" / "a.mp4", 1)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting needs root")
def test_a_full_disk_is_told(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        with pytest.raises(UserError, match="a.mp4.*disk full"):
            written(tmp_path / "a.mp4", 12, noise=40)
        assert os.listdir(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_opencv_tells_of_other_things_as_before():
    level = cv2.utils.logging.getLogLevel()
    with pytest.raises(UserError):
        Film(Path("nowhere.mp4"))
    assert cv2.utils.logging.getLogLevel() == level

"""Videos: frames upright and at their times, and damage told at the frames that it hit."""

import contextlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from kerazoo import video
from kerazoo.errors import UserError
from kerazoo.files import reading
from kerazoo.media.packets import LARGEST
from kerazoo.video import camera_number, is_video, open_video
from tests.videos import FRAMES, RATE, SECONDS, cut, damaged, index_first, made, make_image, make_video, shown

UNEVEN = (0.0, 0.033, 0.067, 0.1, 0.6, 2.6, 2.7)


def read(path):
    opened = open_video(path)
    return opened, list(opened.frames())


def seconds(frames):
    return [round(frame.seconds, 3) for frame in frames]


def lost(frames):
    return [frame.number for frame in frames if frame.image is None]


def off(frame):
    """How far a frame is from the one that was written under its number."""
    return np.abs((frame.image.astype(int) - make_image(frame.number))[20:, 20:].mean(axis=(0, 1))).max()


@pytest.mark.parametrize("name", ["a/clip.MP4", "a.MTS", "a.m2ts", "a.ts", "a.3gp", "a.wmv", "camera:1"])
def test_what_is_a_video(name):
    assert is_video(Path(name))


def test_what_is_none(tmp_path):
    assert camera_number(Path("camera:12")) == 12
    assert camera_number(Path("camera:one")) is None
    assert not is_video(Path("a.png"))
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    assert not is_video(tmp_path / "broken.gif")


def test_a_gif_is_a_video_if_it_has_more_than_one_frame(tmp_path):
    assert not is_video(made(tmp_path / "one.gif", SECONDS[:1], "gif"))
    assert is_video(made(tmp_path / "two.gif", (0, 0.5, 0.7), "gif"))
    assert seconds(read(tmp_path / "two.gif")[1]) == [0, 0.5, 0.7]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mkv", "mpeg4"),
        ("a.3gp", "mpeg4"),
        ("a.MTS", "libx264"),
        ("a.avi", "mjpeg"),
        ("b.avi", "libx264"),  # whose frames are shown in another order than decoded, which AVI cannot say
    ],
)
def test_frames_come_in_order_in_rgb_and_with_their_times(name, codec, tmp_path):
    opened, frames = read(made(tmp_path / name, codec=codec))
    assert (opened.fps, opened.frames_read, opened.frames_lost, opened.problem()) == (RATE, FRAMES, 0, None)
    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert seconds(frames) == list(SECONDS)
    assert max(map(off, frames)) < 6
    assert frames[0].image.dtype == np.uint8


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_frames_at_a_variable_rate_have_their_own_times(name, tmp_path):
    opened, frames = read(made(tmp_path / name, UNEVEN))
    assert seconds(frames) == list(UNEVEN)
    assert opened.problem() is None


@pytest.mark.parametrize("rate", [0.5, 300])
def test_slow_and_fast_videos_keep_their_times(rate, tmp_path):
    frames = read(made(tmp_path / "a.mp4", [number / rate for number in range(6)]))[1]
    assert seconds(frames) == [round(number / rate, 3) for number in range(6)]


def test_videos_that_were_put_one_after_another_go_on(tmp_path):
    one = made(tmp_path / "a.ts", codec="libx264")
    one.write_bytes(one.read_bytes() * 2)
    frames = read(one)[1]
    assert seconds(frames) == [round(number / RATE, 3) for number in range(2 * FRAMES)]


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((0, 1, -1, 0), "upper right"),  # turned by 90 degrees, as telephones do
        ((0, -1, 1, 0), "lower left"),
        ((-1, 0, 0, -1), "lower right"),
        ((-1, 0, 0, 1), "upper right"),  # mirrored
    ],
)
def test_a_video_that_says_how_it_is_held_comes_upright(matrix, corner, tmp_path):
    frames = read(shown(make_video(tmp_path / "a.mp4", frames=2), matrix))[1]
    height, width = make_image(0).shape[:2]
    assert frames[0].image.shape == ((height, width, 3) if matrix[0] else (width, height, 3))
    rows, columns = corner.split()
    bright = frames[0].image[{"upper": slice(10), "lower": slice(-10, None)}[rows]]
    assert bright[:, {"left": slice(10), "right": slice(-10, None)}[columns]].min() > 200


def test_of_alpha_the_colour_below_is_kept(tmp_path):
    frames = read(made(tmp_path / "a.mov", codec="png"))[1]
    assert max(map(off, frames)) == 0


@pytest.mark.parametrize("share", [0.75, 0.98])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mpeg4"), ("a.avi", "mjpeg"), ("a.mkv", "mpeg4")])
def test_a_truncated_video_gives_what_it_has_and_says_so(name, codec, share, tmp_path, capfd):
    path = make_video(tmp_path / name, codec=codec)
    if name == "a.mp4":
        index_first(path)
        assert read(path)[0].problem() is None
    opened, frames = read(cut(path, share))
    assert 0 < len(frames) <= FRAMES
    told = opened.problem() or ""
    assert (f"{name} ends after {len(frames)} " in told) == (len(frames) < FRAMES or name == "a.mkv")
    assert (f"missing frames: {opened.frames_lost}," in told) == bool(lost(frames))
    assert seconds(frames) == list(SECONDS[: len(frames)])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "codec", "end"),
    [
        ("a.avi", "mjpeg", 9),  # packets are gone, and the index tells which
        ("a.mkv", "mjpeg", 10),  # packets are gone up to the next cluster, and the rate tells how many
        ("a.mov", "png", 9),  # packets are there and cannot be decoded
    ],
)
def test_frames_that_are_lost_keep_their_numbers_and_the_rest_its_times(name, codec, end, tmp_path, capfd):
    path = made(tmp_path / name, codec=codec, cluster="400")
    opened, frames = read(damaged(path, 5, 9))
    assert lost(frames) == list(range(5, end))
    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert seconds(frames) == list(SECONDS)
    assert max(off(frame) for frame in frames if frame.image is not None) < 6
    told = f"{path} has damaged or missing frames: {end - 5}, the first at 0.50 s; copy the video again"
    assert (opened.frames_lost, opened.problem()) == (end - 5, told)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.mp4", "a.MTS", "a.avi"])
def test_frames_that_need_lost_ones_stay_in_their_places(name, tmp_path):
    opened, frames = read(damaged(made(tmp_path / name, codec="libx264"), 4, 8))
    assert seconds(frames) == list(SECONDS)
    assert opened.frames_lost == len(lost(frames)) >= 4


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: cut(make_video(path), 0.5), "cannot be opened as a video"),
        (lambda path: path.write_bytes(b""), "cannot be opened as a video"),
        (lambda path: path.write_text("hello, I am a video"), "cannot be opened as a video"),
        (lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///b.ts\n"), "cannot be opened as a video"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_cannot_be_opened(make, expected, tmp_path, capfd):
    make(tmp_path / "a.mp4")
    with pytest.raises(UserError, match=f"a.mp4.*{expected}"):
        open_video(tmp_path / "a.mp4")
    assert capfd.readouterr().err == ""


def test_frames_of_too_many_pixels_are_refused(tmp_path, monkeypatch):
    path = make_video(tmp_path / "a.mp4")
    monkeypatch.setattr("kerazoo.media.packets.LARGEST", 48 * 64 - 1)
    with pytest.raises(UserError, match=r"a.mp4 has frames of 64 x 48 pixels"):
        open_video(path)
    assert LARGEST >= 7680 * 4320


def test_a_disk_that_fails_while_a_video_is_read_is_told(tmp_path, monkeypatch, capfd):
    path, frames = made(tmp_path / "a.ts", [number / 10 for number in range(200)]), []

    class Failing:
        def __init__(self, file):
            self.file, self.seek, self.tell = file, file.seek, file.tell

        def read(self, size):
            if self.tell() > 32_768:
                raise OSError(5, "Input/output error")
            return self.file.read(size)

    @contextlib.contextmanager
    def opened(path):
        with reading.open_file(path) as file:
            yield Failing(file)

    monkeypatch.setattr("kerazoo.media.packets.open_file", opened)
    with pytest.raises(UserError, match="cannot open .*a.ts: Input/output error"):
        frames.extend(open_video(path).frames())
    assert len(frames) < 200
    assert capfd.readouterr().err == ""


def test_a_camera_that_is_not_there(capfd):
    with pytest.raises(UserError, match="there is no camera 97"):
        open_video(Path("camera:97"))
    assert capfd.readouterr().err == ""


def test_a_camera_tells_the_time_and_no_count(tmp_path, monkeypatch):
    source = str(make_video(tmp_path / "a.mp4", frames=3))
    monkeypatch.setattr(video, "_open_capture", lambda cv2, number: cv2.VideoCapture(source))
    opened, frames = read(Path("camera:0"))
    assert opened.frame_count is None
    assert 0 <= frames[0].seconds <= frames[1].seconds < 60
    assert "camera:0 gives no more frames" in opened.problem()


def test_opencv_tells_of_other_things_as_before():
    level = cv2.utils.logging.getLogLevel()
    with pytest.raises(UserError):
        open_video(Path("camera:97"))
    assert cv2.utils.logging.getLogLevel() == level

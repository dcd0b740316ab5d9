"""Videos that are written: as fast as what was read, kept when interrupted, refused by a full disk."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.media.video_writer import VideoWriter
from kerazoo.video import open_video
from tests.videos import RATE, make_image


def read(path):
    return list(open_video(path).frames())


def written(path, times, reason=None, noise=0, fps=RATE):
    with VideoWriter(path, fps) as writer:
        for number, seconds in enumerate(times):
            image = make_image(number, (240, 320)) if noise else make_image(number)
            writer.add(image + np.random.default_rng(0).integers(0, noise + 1, image.shape, "uint8"), seconds)
            assert not path.exists()
        if reason:
            raise reason
    return read(path)


def test_what_is_written_can_be_read(tmp_path):
    frames = written(tmp_path / "a.mp4", [0, 0.1, 0.2, 0.3, 0.4])
    assert np.abs(frames[4].image[20:, 20:].mean(axis=(0, 1)) - [80, 60, 60]).max() < 6
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize(
    "times",
    [
        (0, 0.033, 0.067, 0.1, 0.6, 2.6, 2.7),
        tuple(number / 300 for number in range(9)),
        (0, 2, 4, 6),
        (0, 0.1001, 1001 / 30, 3600, 20_000),
    ],
)
def test_frames_are_shown_at_their_times(times, tmp_path):
    frames = written(tmp_path / "a.mp4", times)
    np.testing.assert_allclose([frame.seconds for frame in frames], times, atol=1e-5)


def test_the_last_frame_lasts_as_long_as_one_does(tmp_path):
    written(tmp_path / "a.mp4", (0, 2, 4), fps=0.5)
    assert open_video(tmp_path / "a.mp4").fps == pytest.approx(0.5)


def test_a_frame_lasts_no_longer_than_its_file_can_say(tmp_path):
    frames = written(tmp_path / "a.mp4", (0, 1e6, 1e6 + 1))
    assert len(frames) == 3
    assert frames[2].seconds > frames[1].seconds > 17_000


def test_frames_of_other_sizes_are_fitted(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", RATE) as writer:
        for number, size in enumerate(((48, 64), (31, 77), (200, 20))):
            writer.add(make_image(3, size), number / RATE)
    assert [frame.image.shape for frame in read(tmp_path / "a.mp4")] == [(48, 64, 3)] * 3


@pytest.mark.parametrize(
    ("size", "expected"), [((20, 9000), (18, 8190)), ((17, 33), (17, 33)), ((16_380, 16), (8190, 8))]
)
def test_frames_that_are_wider_than_the_codec_allows_are_scaled_down(size, expected, tmp_path):
    with VideoWriter(tmp_path / "a.mp4", RATE) as writer:
        writer.add(make_image(3, size), 0)
    assert read(tmp_path / "a.mp4")[0].image.shape == (*expected, 3)


@pytest.mark.parametrize("reason", [KeyboardInterrupt, GeneratorExit, ZeroDivisionError])
def test_what_was_written_before_an_interruption_is_kept(reason, tmp_path):
    with pytest.raises(reason):
        written(tmp_path / "a.mp4", (0, 0.1), reason)
    assert len(read(tmp_path / "a.mp4")) == 2


def test_without_frames_there_is_no_video(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", RATE):
        pass
    assert os.listdir(tmp_path) == []


def test_a_video_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        written(tmp_path / "file" / "a.mp4", [0])


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting needs root")
def test_a_full_disk_is_told(tmp_path, capfd):
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        with pytest.raises(UserError, match="a.mp4.*disk is full"):
            written(tmp_path / "a.mp4", [number / RATE for number in range(12)], noise=40)
        assert os.listdir(tmp_path) == []
        assert capfd.readouterr().err == ""
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)

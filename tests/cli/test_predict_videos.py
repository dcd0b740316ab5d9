"""`kerazoo predict` on unusual videos: times and numbers of frames, folders, animations, damage."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.image import write_image
from kerazoo.video import open_video
from tests.cli.test_predict import made as run_of
from tests.videos import FRAMES, SECONDS, damaged, made, make_image, make_video


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of an untrained network that classifies."""
    return run_of("resnet-cifar", tmp_path_factory.mktemp("run") / "run")


def predicted(run, *paths, output, code=0):
    result = CliRunner().invoke(main, ["predict", *map(str, [run, *paths, "--output", output])])
    assert result.exit_code == code, (result.output, result.exception)
    rows = [json.loads(line) for line in (output / "predictions.jsonl").read_text().splitlines()]
    return result, rows


def times(path):
    return [frame.seconds for frame in open_video(path).frames()]


@pytest.mark.parametrize("seconds", [(0, 0.033, 0.067, 0.6, 2.6), (0, 2, 4), (0, 1 / 300, 2 / 300, 3 / 300)])
def test_rows_and_overlay_have_the_times_of_the_video(run, seconds, tmp_path):
    _, rows = predicted(run, made(tmp_path / "a.mp4", seconds), output=tmp_path / "p")
    assert [row["seconds"] for row in rows] == [round(second, 3) for second in seconds]
    np.testing.assert_allclose(times(tmp_path / "p" / "a_overlay.mp4"), seconds, atol=5e-4)


def test_lost_frames_are_rows_with_an_error_and_one_line(run, tmp_path):
    clip = damaged(make_video(tmp_path / "a.avi", codec="mjpeg"), 5, 9)
    told, (*frames, ended) = predicted(run, clip, output=tmp_path / "p", code=2)
    assert [row["frame"] for row in frames] == list(range(FRAMES))
    assert [row["seconds"] for row in frames] == list(SECONDS)
    assert [row["frame"] for row in frames if "error" in row] == [5, 6, 7, 8]
    assert frames[5]["error"] == f"frame 5 of {clip} is damaged or missing"
    assert [line for line in told.stderr.splitlines() if line.startswith("Error")] == [
        f"Error: {clip} has damaged or missing frames: 4, the first at 0.50 s; copy the video again"
    ]
    assert "has damaged or missing frames: 4" in ended["error"]
    expected = [*SECONDS[:5], *SECONDS[9:]]
    np.testing.assert_allclose(times(tmp_path / "p" / "a_overlay.mp4"), expected, atol=5e-4)


def test_videos_of_a_folder_and_of_a_glob_are_predicted_like_images(run, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.MTS", "b.3gp"):
        make_video(tmp_path / "in" / name)
    write_image(tmp_path / "in" / "c.png", make_image(1))
    expected = ["a.MTS"] * FRAMES + ["b.3gp"] * FRAMES + ["c.png"]
    for number, asked in enumerate((tmp_path / "in", tmp_path / "in" / "*")):
        told, rows = predicted(run, asked, output=tmp_path / f"p{number}")
        assert [row["image"].split("/")[-1] for row in rows] == expected
        assert "not read" not in told.stderr


def test_an_animated_gif_is_a_video_and_another_an_image(run, tmp_path):
    two, one = made(tmp_path / "two.gif", (0, 0.5), "gif"), made(tmp_path / "one.gif", (0,), "gif")
    _, rows = predicted(run, two, one, output=tmp_path / "p")
    assert [row.get("seconds") for row in rows] == [0, 0.5, None]
    assert rows[1]["files"][-1].endswith("two_overlay.mp4")


def test_a_video_that_is_wider_than_the_overlay_can_be_loses_nothing(run, tmp_path):
    clip = made(tmp_path / "a.mkv", SECONDS[:2], "ffv1", (16, 9000))
    write_image(tmp_path / "after.png", make_image(1))
    _, rows = predicted(run, clip, tmp_path / "after.png", output=tmp_path / "p")
    assert [row["width"] for row in rows] == [9000, 9000, 64]
    frame = next(open_video(tmp_path / "p" / "a_overlay.mp4").frames())
    assert frame.image.shape[1] == 8190


@pytest.mark.parametrize(
    ("size", "code"),
    [(bytes(8), 0), (b"\1" + 6 * b"\0" + b"\2", 0), (b"\1" + 7 * b"\x7f", 2)],  # more than the file has
)
def test_a_bad_size_in_matroska_loses_no_frame(run, size, code, tmp_path):
    clip = make_video(tmp_path / "a.mkv")
    data = bytearray(clip.read_bytes())
    place = data.index(b"\x18S\x80g") + 4  # of the segment, which is all of the file
    data[place : place + 8] = size
    clip.write_bytes(data)
    _, rows = predicted(run, clip, output=tmp_path / "p", code=code)
    assert [row["seconds"] for row in rows if "error" not in row] == list(SECONDS)

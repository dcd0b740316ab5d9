"""`kerazoo predict --results`: files of other programs' formats, beside what people have already."""

import os

import pytest

from kerazoo.image import write_image
from kerazoo.video import Video
from tests.cli.test_predict import made, predicted, rows
from tests.videos import FRAMES, make_image, make_video


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of an untrained network that finds objects."""
    return made("centernet", tmp_path_factory.mktemp("run") / "run")


def test_labels_of_the_users_own_are_refused_before_anything_is_predicted(run, tmp_path):
    write_image(tmp_path / "images" / "a.png", make_image(1))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 .5 .5 .2 .2\n")
    arguments = [run, tmp_path / "images", "--no-overlay", "--output", tmp_path]
    for given in (["coco", "yolo"], ["yolo"]):
        told = predicted(*arguments, *(word for to in given for word in ("--results", to)), code=2)
        (line,) = [line for line in told.stderr.splitlines() if line.startswith("Error")]
        assert f"{tmp_path / 'labels' / 'a.txt'} was not written by kerazoo" in line
    assert sorted(os.listdir(tmp_path)) == ["images", "labels"]
    assert (tmp_path / "labels" / "a.txt").read_text() == "0 .5 .5 .2 .2\n"
    predicted(*arguments, "--results", "voc")
    predicted(*arguments, "--results", "yolo", code=2)  # rows of a prediction vouch for no labels


def test_rows_name_their_labels_and_earlier_ones_are_gone(run, tmp_path):
    for place in ("b/x.png", "c/x.png", "clip-000001.png"):
        write_image(tmp_path / "in" / place, make_image(1))
    make_video(tmp_path / "in" / "clip.mp4", 2)
    arguments = ["--results", "yolo", "--output", tmp_path / "out"]
    predicted(run, make_video(tmp_path / "before.mp4", 1), *arguments)
    predicted(run, tmp_path / "in", "--no-overlay", *arguments)
    told = [file for row in rows(tmp_path / "out") for file in row["files"]]
    names = {"x", "c-x", "clip-000001", "clip-000000", "clip-000001_frame"}
    assert sorted(told) == sorted(str(tmp_path / "out" / "labels" / f"{name}.txt") for name in names)
    assert set(os.listdir(tmp_path / "out" / "labels")) == {f"{name}.txt" for name in names}
    (row,) = [row for row in rows(tmp_path / "out") if row["image"].endswith("b/x.png")]
    assert row["files"][0].endswith("/x.txt")
    predicted(run, tmp_path / "in" / "b", *arguments)
    (row,) = rows(tmp_path / "out")
    assert [os.path.basename(file) for file in row["files"]] == ["x.txt", "x_overlay.png"]
    assert os.listdir(tmp_path / "out" / "labels") == ["x.txt"]


def test_what_a_format_cannot_name_is_told_before(run, tmp_path):
    write_image(tmp_path / "my photo.png", make_image(1))
    told = predicted(run, tmp_path / "my photo.png", "--results", "voc", "--output", tmp_path / "out")
    assert "warning: voc: a line cannot name 'my photo'" in told.stderr


def test_an_interruption_keeps_whole_results_of_before(run, tmp_path, monkeypatch):
    clip = make_video(tmp_path / "clip.mp4")
    arguments = [run, clip, "--no-overlay", "--results", "yolo", "--output"]
    predicted(*arguments, tmp_path / "whole")
    frames = Video.frames

    def stopped(self):
        for frame in frames(self):
            if frame[1] == 2:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(Video, "frames", stopped)
    told = predicted(*arguments, tmp_path / "whole", code=130)
    assert "labels is that of before" in told.stderr
    predicted(*arguments, tmp_path / "part", code=130)
    assert [len(os.listdir(tmp_path / name / "labels")) for name in ("whole", "part")] == [FRAMES, 2]

"""`kerazoo predict` on videos and cameras, of any task; and on boxes."""

import dataclasses
import json
from types import SimpleNamespace
from typing import ClassVar

import cv2
import keras
import numpy as np
import pytest

from kerazoo import backend, video
from kerazoo.engine.predict import predict
from kerazoo.errors import UserError
from kerazoo.image import USUAL, write_image
from kerazoo.media.video_writer import VideoWriter
from kerazoo.recipe import load_recipe
from kerazoo.run import create_run
from kerazoo.settings import settings
from kerazoo.structures.keypoints import Poses
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.pose import Pose
from kerazoo.video import Camera
from tests.cli.runner import result_of
from tests.tiny import TINY
from tests.videos import FRAMES, cut, index_first, make_image, make_video, turned


def made(name, folder):
    recipe = dataclasses.replace(load_recipe("unetpp-tiny"), family=TINY[name])
    create_run(recipe, folder, recipe.family.build())
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of an untrained network that classifies."""
    return made("resnet-cifar", tmp_path_factory.mktemp("run") / "run")


def predicted(*arguments, code=0):
    return result_of("predict", *arguments, code=code)


def rows(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def frames(path):
    return cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)


@pytest.mark.parametrize(("name", "described"), [("unetpp", "share"), ("resnet-cifar", "top")])
def test_a_video_becomes_a_video_and_a_row_per_frame(name, described, tmp_path):
    clip, output = make_video(tmp_path / "clip.mp4"), tmp_path / "p"
    told = predicted(made(name, tmp_path / "run"), clip, "--output", output)
    overlay = output / "clip_overlay.mp4"
    assert told.stdout == f"{clip} -> {overlay}: {FRAMES} frames\n"
    assert f"{clip}: {FRAMES} frames in" in told.stderr
    assert "frames/s" in told.stderr
    assert frames(overlay) == FRAMES
    assert sorted(path.name for path in output.iterdir()) == ["clip_overlay.mp4", "predictions.jsonl"]
    lines = rows(output)
    assert [row["frame"] for row in lines] == list(range(FRAMES))
    assert [row["seconds"] for row in lines] == pytest.approx([number / 10 for number in range(FRAMES)])
    first = lines[0]
    assert (first["image"], first["height"], first["width"]) == (str(clip), 48, 64)
    assert first["files"] == [str(overlay)]
    assert described in first


def test_a_truncated_video_loses_nothing_and_stops_nothing(run, tmp_path):
    clip = cut(index_first(make_video(tmp_path / "clip.mp4")), 0.8)
    write_image(tmp_path / "after.png", make_image(3))
    told = predicted(run, clip, tmp_path / "after.png", "--output", tmp_path / "p", code=2)
    *whole, half, broken, after = rows(tmp_path / "p")
    assert [row["frame"] for row in [*whole, half]] == list(range(len(whole) + 1))
    assert 0 < len(whole) < FRAMES - 1
    assert half["error"] == f"frame {len(whole)} of {clip} is damaged or missing"
    assert broken["frame"] == len(whole) + 1 == frames(tmp_path / "p" / "clip_overlay.mp4") + 1
    assert f"ends after {len(whole) + 1} of {FRAMES} frames" in broken["error"]
    assert "frame" not in after
    assert (tmp_path / "p" / "after_overlay.png").exists()
    assert [line for line in told.stderr.splitlines() if line.startswith("Error")] == [
        f"Error: {broken['error']}"
    ]
    first, _ = told.stdout.splitlines()
    assert first.endswith(f": {len(whole)} frames")


def test_what_is_no_video_and_a_camera_that_is_not_there_are_told_in_a_line(run, tmp_path):
    cut(make_video(tmp_path / "clip.mp4"), 0.5)
    arguments = [run, tmp_path / "clip.mp4", "camera:97", tmp_path / "gone.avi", "--output", tmp_path / "p"]
    told = predicted(*arguments, code=2)
    lines = told.stderr.splitlines()
    assert len(lines) == 3
    for line, part in zip(lines, ("clip.mp4 cannot be opened", "no camera 97", "gone.avi"), strict=True):
        assert line.startswith("Error: ")
        assert part in line
    assert [set(row) for row in rows(tmp_path / "p")] == [{"image", "error"}] * 3
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["predictions.jsonl"]


def test_an_interrupted_camera_keeps_what_was_seen(run, tmp_path, monkeypatch):
    source = str(make_video(tmp_path / "clip.mp4"))
    monkeypatch.setattr(video, "_open_capture", lambda cv2, number: cv2.VideoCapture(source))
    read = Camera._read

    def stopped(self):
        if self.frames_read == 4:
            raise KeyboardInterrupt
        return read(self)

    monkeypatch.setattr(Camera, "_read", stopped)
    told = predicted(run, "camera:0", "--output", tmp_path / "p", code=130)
    assert "camera:0: 4 frames" in told.stderr
    assert [row["frame"] for row in rows(tmp_path / "p")] == [0, 1, 2, 3]
    assert rows(tmp_path / "p")[0]["image"] == "camera:0"
    assert frames(tmp_path / "p" / "camera0_overlay.mp4") >= 4
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "camera0_overlay.mp4",
        "predictions.jsonl",
    ]


def test_an_interruption_between_frames_keeps_the_video(run, tmp_path, monkeypatch):
    from kerazoo.cli import predict as command

    def stopped(rows):
        next(iter(rows))
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(command, "_worth_a_line", stopped)
    predicted(run, make_video(tmp_path / "clip.mp4"), "--output", tmp_path / "p", code=130)
    assert frames(tmp_path / "p" / "clip_overlay.mp4") == 1


def test_no_more_than_a_frame_is_in_memory(run, tmp_path, monkeypatch):
    upright, write, order = video._apply_display_matrix, VideoWriter.add, []
    monkeypatch.setattr(video, "_apply_display_matrix", lambda image: order.append("read") or upright(image))
    monkeypatch.setattr(VideoWriter, "add", lambda self, *told: order.append("written") or write(self, *told))
    predicted(run, make_video(tmp_path / "clip.mp4"), "--output", tmp_path / "p")
    assert order == ["read", "written"] * FRAMES


def test_turned_videos_are_drawn_upright(run, tmp_path):
    predicted(run, turned(make_video(tmp_path / "clip.mp4", frames=1)), "--output", tmp_path / "p")
    (row,) = rows(tmp_path / "p")
    assert (row["height"], row["width"]) == (64, 48)


def test_videos_and_images_of_one_name_get_files_of_their_own(run, tmp_path):
    write_image(tmp_path / "a" / "one.png", make_image(1))
    (tmp_path / "b").mkdir()
    paths = [
        tmp_path / "a" / "one.png",
        make_video(tmp_path / "b" / "one.mp4", 1),
        make_video(tmp_path / "one.avi", 1, "mjpeg"),
    ]
    predicted(run, *paths, "--output", tmp_path / "p")
    assert len({row["files"][-1] for row in rows(tmp_path / "p")}) == 3


@settings
class Centres(Pose):
    """Finds a point in the middle of every box."""

    supports: ClassVar[frozenset[str]] = frozenset({"tta", "boxes"})

    skeleton: Skeleton = Skeleton(points=("middle",))

    def build(self):
        x = keras.Input((None, None, 3))
        return keras.Model(x, {"same": keras.layers.Identity()(x)})

    def infer_boxes(self, forward, image, boxes, scores, *, tta=False):
        middles = boxes[:, :2] + boxes[:, 2:] / 2
        points = np.concatenate([middles, np.ones((len(boxes), 1))], axis=-1)[:, None]
        return Poses(points.astype("float32"), scores)

    prepare = encode = objective = decode = serving = None


def centres(boxes, paths, output, **options):
    family = Centres()
    recipe = SimpleNamespace(family=family, tile=None, data=USUAL)
    stub = SimpleNamespace(recipe=recipe, family=family, forward=backend.forward(family.build()))
    return list(predict(stub, paths, output, boxes=boxes, **options))


def test_people_are_looked_for_in_boxes(tmp_path):
    for name in ("000000000012.png", "other_7.png"):
        write_image(tmp_path / name, make_image(1))
    found = [{"image_id": 12, "bbox": [10, 10, 20, 30], "score": 0.75}]
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    paths = [tmp_path / "000000000012.png", tmp_path / "other_7.png"]
    first, second = centres(tmp_path / "boxes.json", paths, tmp_path / "p")
    assert first["people"] == [
        {"score": 0.75, "box": [20.0, 25.0, 0.0, 0.0], "keypoints": {"middle": [20.0, 25.0, 1.0]}}
    ]
    assert second["people"] == []
    assert (tmp_path / "p" / "000000000012_keypoints.json").exists()


def test_boxes_in_a_video_go_by_the_frame(tmp_path):
    clip = make_video(tmp_path / "clip.mp4", 3)
    row = {"image": "clip.mp4", "frame": 1, "people": [{"box": [10, 10, 20, 30], "score": 0.75}]}
    (tmp_path / "boxes.jsonl").write_text(json.dumps(row))
    told = centres(tmp_path / "boxes.jsonl", [clip], tmp_path / "p")
    assert [len(row["people"]) for row in told] == [0, 1, 0]


def test_boxes_of_other_images_are_told(tmp_path):
    (tmp_path / "boxes.json").write_text(json.dumps([{"image_id": 12, "bbox": [10, 10, 20, 30]}]))
    with pytest.raises(UserError, match="boxes.json has boxes for none of these images, but for image_id 12"):
        centres(tmp_path / "boxes.json", [tmp_path / "13.png"], tmp_path / "p")
    with pytest.raises(UserError, match="Centres has no tiles"):
        centres(tmp_path / "boxes.json", [tmp_path / "12.png"], tmp_path / "p", tile=64)


def test_a_detectors_low_scores_are_left_out_and_told(tmp_path, capsys):
    write_image(tmp_path / "12.png", make_image(1))
    found = [{"image_id": 12, "bbox": [10, 10, 20, 30], "score": score} for score in (0.29, 0.3, 0.9)]
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    for least, count, told in ((None, 2, "1 of 3 boxes have a score below 0.3"), (0.0, 3, "")):
        (row,) = centres(tmp_path / "boxes.json", [tmp_path / "12.png"], tmp_path / "p", min_score=least)
        assert len(row["people"]) == count
        assert told in capsys.readouterr().err


def test_a_box_outside_its_image_is_an_error_in_its_row(tmp_path):
    for name in ("12.png", "13.png"):
        write_image(tmp_path / name, make_image(1))
    found = [{"image_id": n, "bbox": [side, 10, 20, 30]} for n, side in ((12, 640), (13, 30))]
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    first, second = centres(
        tmp_path / "boxes.json", [tmp_path / "12.png", tmp_path / "13.png"], tmp_path / "p"
    )
    assert "12.png: the box (640, 10, 20, 30) lies outside the image of 64 x 48 pixels" in first["error"]
    assert len(second["people"]) == 1


def test_a_task_that_takes_no_boxes_says_so_once(run, tmp_path):
    for name in ("12.png", "13.png"):
        write_image(tmp_path / name, make_image(1))
    (tmp_path / "boxes.json").write_text(json.dumps([{"image_id": 12, "bbox": [10, 10, 20, 30]}]))
    told = predicted(run, tmp_path, "--boxes", tmp_path / "boxes.json", "--output", tmp_path / "p", code=2)
    assert "has no boxes" in told.stderr
    assert told.stderr.count("Error") == 1

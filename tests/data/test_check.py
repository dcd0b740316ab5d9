"""What `check` counts, and that it tells every problem rather than the first."""

import json
import shutil
import zlib

import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.classification.class_folders import ClassFolders
from kerazoo.data.keypoints.coco import CocoKeypoints
from kerazoo.data.keypoints.windows import Windows
from kerazoo.data.segmentation.folders import Folder
from kerazoo.data.translation.unpaired import Unpaired
from kerazoo.image import write_image
from kerazoo.settings import replace
from tests.keypoint_files import PLAIN, make_images, nobody, person, written


def write(folder, name, shape=(8, 10), grey=False, value=1, seed=None):
    rng = np.random.default_rng(zlib.crc32(f"{folder.name}/{name}".encode()) if seed is None else seed)
    image = rng.integers(0, 256, (*shape, 3), "uint8")
    write_image(folder / "images" / name, np.dstack([image[..., 0]] * 3) if grey else image)
    mask = np.zeros(shape, "uint8")
    mask[: shape[0] // 2] = value
    write_image(folder / "masks" / name, mask)


@pytest.fixture
def good(tmp_path):
    for index in range(4):
        write(tmp_path / "train", f"{index}.png", grey=index == 0)
    write(tmp_path / "val", "0.png", shape=(6, 6))
    write(tmp_path / "test", "0.png", shape=(20, 5))
    return tmp_path


def test_a_good_data_set(good):
    report = check(Folder(path=str(good), classes=("ground", "tree")))
    assert report.splits == {"train": 4, "val": 1, "test": 1}
    assert report.sizes == {"smallest": (6, 6), "largest": (20, 5), "most common": (8, 10)}
    assert report.grey == pytest.approx(1 / 6)
    assert report.classes == {"ground": 0.5, "tree": 0.5}
    assert report.void == 0
    assert report.problems == ()
    text = "\n".join(report.lines())
    for told in ("4 train, 1 val, 1 test", "8 x 10", "tree", "50.00%", "17%", "no problems"):
        assert told in text
    assert json.loads(json.dumps(report.plain()))["classes"]["tree"] == 0.5


def test_void_is_counted_apart(good):
    for index in range(3):
        write(good / "train", f"{index}.png", value=255)
    report = check(Folder(path=str(good), void=255))
    assert report.void == pytest.approx(120 / 456)
    assert sum(report.classes.values()) == pytest.approx(1)


def test_every_problem_is_told_and_the_rest_is_counted(good):
    train = good / "train"
    write(train, "lonely.png")
    (train / "masks" / "lonely.png").unlink()
    write(train, "orphan.png")
    (train / "images" / "orphan.png").unlink()
    (train / "images" / "1.png").write_bytes((train / "images" / "1.png").read_bytes()[:60])
    write_image(train / "masks" / "2.png", np.ones((3, 3), "uint8"))
    write_image(good / "val" / "masks" / "0.png", np.full((6, 6), 9, "uint8"))
    (good / "test" / "masks" / "0.png").write_text("no image")
    report = check(Folder(path=str(good), classes=("a", "b", "c")))
    assert report.splits == {"train": 2}
    expected = [
        "lonely.png has no mask",
        "orphan.png has no image",
        "1.png cannot be read",
        "2.png has 3 x 3 pixels",
        "0.png holds the value 9",
        "test/masks/0.png is not an image",
    ]
    for told in expected:
        assert len([line for line in report.problems if told in line]) == 1, told
    assert len(report.problems) == 6
    assert report.lines()[-1] == "6 problems"


def test_broken_files_are_told_in_natural_order_whatever_their_split(tmp_path):
    for index in range(12):
        write(tmp_path, f"{index}.png")
        (tmp_path / "images" / f"{index}.png").write_text("no image")
    told = check(Folder(path=str(tmp_path))).problems
    assert [line.split(".png")[0].rsplit("/", 1)[1] for line in told] == list(map(str, range(12)))


def test_one_image_in_two_splits_is_a_warning(good):
    write(good / "train", "same.png", seed=5)
    write(good / "train", "again.png", seed=5)
    write(good / "val", "other.png", seed=5)
    report = check(Folder(path=str(good)))
    (warning,) = report.warnings
    assert "again.png (train) and val/other.png (val) are the same image" in warning
    assert not report.problems
    assert f"warning: {warning}" in report.lines()


def test_one_image_in_two_splits_is_told_whatever_samples_show_of_it(tmp_path):
    write_image(make_images(tmp_path) / "2.png", np.full((40, 60, 3), 99, "uint8"))
    people = written(tmp_path, person(), person(2), person(3, 2), nobody(4, image_id=2))
    for split in ("train", "val", "test"):
        shutil.copy(people, tmp_path / f"{split}.json")
    people.unlink()
    cut = CocoKeypoints(path=str(tmp_path), skeleton=PLAIN, windows=Windows())
    places = [(number, split) for split in ("val", "test") for number in (1, 2)]
    told = [f"{n}.png (train) and {n}.png ({split}) are the same image; keep one" for n, split in places]
    assert list(check(cut).warnings) == told
    for split in ("val", "test"):
        (tmp_path / f"{split}.json").unlink()
    assert check(replace(cut, {"validation": 0.5})).warnings == ()  # several people of one image


def test_one_image_to_train_and_to_test_on_is_told_though_it_is_resized_to_train(tmp_path):
    for seed, name in enumerate(("trainA/0", "trainA/1", "trainB/0", "trainB/1", "testA/0", "testB/0")):
        image = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), "uint8")
        write_image(tmp_path / f"{name}.png", image)
    shutil.copy(tmp_path / "trainB" / "1.png", tmp_path / "testB" / "0.png")
    (warning,) = check(Unpaired(path=str(tmp_path), size=(12, 12), validation=0.0)).warnings
    assert warning == "trainB/1.png (train) and testB/0.png (test) are the same image; keep one"


def test_what_the_source_warns_of_is_told(good, monkeypatch):
    monkeypatch.setattr(Folder, "warnings", lambda self: ["3 files were passed over"])
    report = check(Folder(path=str(good)))
    assert report.warnings == ("3 files were passed over",)
    assert "warning: 3 files were passed over" in report.lines()


def test_one_image_of_two_classes_is_a_warning(tmp_path):
    for seed, name in enumerate(("a/0.png", "a/1.png", "b/0.png", "b/1.png")):
        image = np.random.default_rng(max(seed, 1)).integers(0, 256, (6, 6, 3), "uint8")
        write_image(tmp_path / name, image)
    report = check(ClassFolders(path=str(tmp_path), validation=0.0))
    assert not report.warnings  # a/0.png and a/1.png are of one class
    write_image(tmp_path / "b" / "2.png", image)
    write_image(tmp_path / "a" / "2.png", image)
    (warning,) = check(ClassFolders(path=str(tmp_path), validation=0.0)).warnings
    told = "b/1.png (train) and a/2.png (train) are the same image with different labels; keep one"
    assert warning == told


def test_what_cannot_be_used_at_all_is_one_problem(tmp_path):
    report = check(Folder(path=str(tmp_path / "missing")))
    assert len(report.problems) == 1
    assert "does not exist" in report.problems[0]
    assert report.lines()[0].endswith("none")


def test_progress_is_reported(good):
    calls = []
    check(Folder(path=str(good)), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(count, 6) for count in range(1, 7)]

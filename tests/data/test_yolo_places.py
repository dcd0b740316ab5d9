"""Where YOLO's files may lie and what they may be called: classes, lists of the splits, text files."""

import shutil

import pytest

from kerazoo.data.detection.class_names import locate
from tests.data.test_detection_formats import splits_of
from tests.detection_files import NAMES, rows, source, truths, write_yolo
from tests.refusals import refusal

COUNTS = {"1": 2, "2": 0, "3": 2}


def counts(path):
    return {number: len(truth.boxes) for number, truth in truths(path).items()}


def renamed(path, old, new):
    """Move a file or folder of a data set, and return the data set."""
    (path / new).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path / old, path / new)
    return path


# --- paths ------------------------------------------------------------------------------------


def test_a_whole_path_that_exists_goes_before_what_ends_like_it(tmp_path):
    first, second = (write_yolo(tmp_path / name) for name in ("a", "b"))
    for path in (first, second):
        for number in COUNTS:
            renamed(path, f"images/{number}.png", f"images/train/{number}.png")
            renamed(path, f"labels/{number}.txt", f"labels/train/{number}.txt")
    (second / "data.yaml").write_text(
        f"train: [{first}/images/train, {second}/images/train]\nnames: [cat, dog]\n"
    )
    own = [f"images/train/{number}.png" for number in COUNTS]
    assert splits_of(second)["train"] == [*(f"{first}/{name}" for name in own), *own]
    (warning,) = source(second).warnings()[:1]
    assert f"are read as written, such as {first}/images/train, and not {second}/images/train" in warning
    (second / "data.yaml").write_text("train: /moved/b/images/train\nnames: [cat, dog]\n")
    assert splits_of(second)["train"] == own


def test_lines_of_lists_are_whole_paths_as_well(tmp_path):
    first, second = (write_yolo(tmp_path / name) for name in ("a", "b"))
    (second / "train.txt").write_text(f"{first}/images/1.png\nimages/3.png\n")
    (second / "data.yaml").write_text("train: train.txt\nnames: [cat, dog]\n")
    assert splits_of(second)["train"] == [f"{first}/images/1.png", "images/3.png"]
    assert "train.txt: 1 path(s) are read as written" in source(second).warnings()[0]
    assert second / "train.txt" in source(second).files()


def test_a_path_above_goes_before_a_shorter_end_of_it(tmp_path):
    for name in ("a/images", "b/images/c"):
        (tmp_path / name).mkdir(parents=True)
    base = tmp_path / "b"
    assert list(locate("../a/images", [base])) == [base / "../a/images"]
    assert list(locate("data/images", [base])) == [base / "images"]
    assert list(locate("/gone/images", [base])) == []
    assert list(locate("/gone/images/c", [base])) == [base / "images/c"]
    assert list(locate("..", [base])) == [base / ".."]


def test_a_list_of_another_machine_is_known_by_its_name(tmp_path):
    path = write_yolo(tmp_path)
    (path / "train.txt").write_text("/gone/set/images/1.png\n")
    (path / "data.yaml").write_text("train: /gone/set/train.txt\nnames: [cat, dog]\n")
    assert splits_of(path) == {"train": ["images/1.png"]}


def test_the_path_of_a_yaml_file_in_a_folder_is_honoured(tmp_path):
    write_yolo(tmp_path / "set" / "sub")
    (tmp_path / "set" / "sub" / "train.txt").write_text("images/1.png\nimages/3.png\n")
    yaml = tmp_path / "set" / "data.yaml"
    yaml.write_text("path: sub\ntrain: train.txt\nnames: [cat, dog]\n")
    assert splits_of(tmp_path / "set") == {"train": ["images/1.png", "images/3.png"]}
    yaml.write_text("path: gone/sub\ntrain: sub/images\nnames: [cat, dog]\n")
    assert len(splits_of(tmp_path / "set")["train"]) == 3
    write_yolo(tmp_path / "other")
    yaml.write_text("path: ../other\ntrain: images\nnames: [cat, dog]\n")
    assert len(splits_of(tmp_path / "set")["train"]) == 3
    assert "data.yaml: what its path names is read" in source(tmp_path / "set").warnings()[0]


# --- lists ------------------------------------------------------------------------------------


def test_lists_beside_the_classes_are_the_splits(tmp_path):
    path = write_yolo(tmp_path)
    (path / "train.txt").write_text("images/1.png\n")
    (path / "valid.txt").write_text("./images/3.png\n\n")
    assert splits_of(path) == {"train": ["images/1.png"], "val": ["images/3.png"]}
    assert "1 image(s) are in none of its lists and are left out" in source(path).warnings()[0]
    (path / "valid.txt").write_text("images/9.png\n")
    with refusal("valid.txt: line 1 names 'images/9.png', and there is no such image"):
        source(path).samples("train")


def test_lists_that_cannot_be_used_are_told(tmp_path):
    path = write_yolo(tmp_path)
    (path / "train.txt").write_text("1\n2\n")
    (path / "val.txt").write_text("gone/8.png\n")
    assert len(splits_of(path)["train"]) == 3
    told = source(path).warnings()
    assert f"{path}/train.txt is no list of image files and is not read" in told
    assert f"{path}/val.txt names no image that is there and is not read" in told


def darknet(
    path, text="classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n"
):
    write_yolo(path)
    renamed(path, "classes.txt", "obj.names")
    for number in COUNTS:
        renamed(path, f"labels/{number}.txt", f"obj_train_data/{number}.txt")
        renamed(path, f"images/{number}.png", f"obj_train_data/{number}.png")
    (path / "train.txt").write_text("data/obj_train_data/1.png\n")
    (path / "valid.txt").write_text("data/obj_train_data/2.png\ndata/obj_train_data/3.png\n")
    (path / "obj.data").write_text(text)
    return path


def test_darknets_settings_tell_classes_and_splits(tmp_path):
    path = darknet(tmp_path)
    assert source(path).class_names() == NAMES
    assert splits_of(path) == {
        "train": ["obj_train_data/1.png"],
        "val": ["obj_train_data/2.png", "obj_train_data/3.png"],
    }
    assert {path / name for name in ("obj.data", "obj.names", "train.txt")} <= set(source(path).files())
    assert source(path).warnings() == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("classes = 3\nnames = obj.names\n", "obj.data: classes is '3', and there are 2 names"),
        ("train = train.txt\nnames = data/voc.names\n", "names is data/voc.names, which is not there"),
    ],
)
def test_darknets_settings_that_contradict_the_files_are_refused(tmp_path, text, told):
    with refusal(told):
        source(darknet(tmp_path, text)).samples("train")


# --- classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["labels/classes.txt", "labels/train/classes.txt", "Classes.txt"])
def test_a_list_of_classes_lies_anywhere(tmp_path, place):
    path = renamed(write_yolo(tmp_path), "classes.txt", place)
    assert source(path).class_names() == NAMES
    assert counts(path) == COUNTS


@pytest.mark.parametrize("text", ["\ncat\ndog\n", "cat\n  \ndog\n"])
def test_a_blank_line_would_shift_the_classes(tmp_path, text):
    path = write_yolo(tmp_path)
    (path / "classes.txt").write_text(text)
    with refusal("classes.txt: line", "is blank"):
        source(path).samples("train")
    (path / "classes.txt").write_text("cat\ndog\n\n \n")
    assert source(path).class_names() == NAMES


@pytest.mark.parametrize("other", ["names: [x\n", "names: [a, b, c]\n", "- 1\n", "a: {{ b }}: c\n"])
def test_data_yaml_goes_before_all_others(tmp_path, other):
    path = write_yolo(tmp_path)
    (path / "classes.txt").unlink()
    (path / "another.yaml").write_text(other)
    (path / "data.yaml").write_text("names: [cat, dog]\n")
    assert source(path).class_names() == NAMES


@pytest.mark.parametrize(
    "text", ['"names": [cat, dog]\n', "{nc: 2, names: [cat, dog]}\n", "? names\n: [cat, dog]\n"]
)
def test_names_are_recognised_however_yaml_writes_them(tmp_path, text):
    path = write_yolo(tmp_path)
    (path / "classes.txt").unlink()
    (path / "set.yaml").write_text(text)
    (path / "hyp.yaml").write_text("lr: 0.1\nanchors: |\n  names: none\n")
    (path / "broken.yaml").write_text("a: [b\n")
    assert source(path).class_names() == NAMES


def test_a_yaml_file_that_cannot_be_read_is_told_where_nothing_else_names_classes(tmp_path):
    path = write_yolo(tmp_path)
    (path / "set.yaml").write_text("names: [cat\n")
    assert source(path).class_names() == NAMES
    (path / "classes.txt").unlink()
    with refusal("set.yaml is no YAML"):
        source(path).samples("train")


# --- text files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "labels", "suffix"),
    [
        ("Images", "labels", ".txt"), ("images", "LABELS", ".txt"), ("images", "labels", ".TXT"),
        ("images", "labels", ".png.txt"), ("images", "images", ".png.TXT"),
    ],
)  # fmt: skip
def test_images_and_text_files_are_paired(tmp_path, images, labels, suffix):
    path = write_yolo(tmp_path)
    for number in COUNTS:
        renamed(path, f"images/{number}.png", f"new/{images}/{number}.png")
        renamed(path, f"labels/{number}.txt", f"new/{labels}/{number}{suffix}")
    shutil.copy(path / "classes.txt", path / "new")
    assert counts(path / "new") == COUNTS


def test_notes_beside_text_files_are_no_boxes(tmp_path):
    path = write_yolo(tmp_path)
    for name in ("README.txt", "readme.dataset.txt", "LICENSE.txt"):
        (path / "labels" / name).write_text("Exported today.")
    assert counts(path) == COUNTS
    (path / "labels" / "README.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with refusal("README.txt has no image"):
        source(path).samples("train")


@pytest.mark.parametrize("numbers", [2, 3])
def test_boxes_go_before_key_points(tmp_path, numbers):
    path = write_yolo(tmp_path)
    points = "0.9 0.9" + (" 2" if numbers == 3 else "")
    for number in COUNTS:
        (path / "labels" / f"{number}.txt").write_text(f"1 0.5 0.5 0.2 0.5 {points} {points}\n")
    (path / "data.yaml").write_text(f"kpt_shape: [2, {numbers}]\nnames: [cat, dog]\n")
    assert rows(truths(path)["1"]) == [(1, *(pytest.approx(value) for value in (24, 10, 36, 30)))]
    (path / "labels" / "1.txt").write_text("1 0.5 0.5 0.2 0.5\n")
    with refusal("line 1 has 5 columns: a box and kpt_shape's", f"numbers are {5 + 2 * numbers}"):
        source(path).samples("train")

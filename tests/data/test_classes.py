"""Folders per class: layouts, names, splits, and what is told when they are wrong."""

import json
import pickle

import numpy as np
import pytest

from kerazoo import settings
from kerazoo.data.check import check
from kerazoo.data.classification.class_folders import ClassFolders
from kerazoo.errors import UserError
from kerazoo.image import write_image
from kerazoo.structures.label import Label


def make_image(index, shape=(6, 8)):
    return np.random.default_rng(index).integers(0, 256, (*shape, 3), "uint8")


def fill(folder, classes="ab", count=10, first=0):
    for number, name in enumerate(classes):
        for index in range(count):
            write_image(folder / name / f"{index}.png", make_image(first + 100 * number + index))
    return folder


def source(path, **options):
    return ClassFolders(path=str(path), **options)


def names(samples):
    return [sample.name for sample in samples]


def test_classes_are_the_folders_in_natural_order(tmp_path):
    fill(tmp_path, ("class10", "class2", "Zebra"), count=4)
    data = source(tmp_path, validation=0.25)
    assert data.class_names() == ("Zebra", "class2", "class10")
    samples = data.samples("train")
    assert [sample.truth for sample in samples] == [Label(0), Label(1), Label(2)] * 3
    held = data.samples("val")
    assert [sample.truth.label for sample in held] == [0, 1, 2]
    by_name = {sample.name: sample.image for part in (samples, held) for sample in part}
    np.testing.assert_array_equal(by_name["class10/3.png"], make_image(3))
    np.testing.assert_array_equal(by_name["class2/0.png"], make_image(100))


def test_shares_are_held_back_from_every_class_by_the_seed(tmp_path):
    fill(tmp_path, "a", count=20)
    fill(tmp_path, "b", count=5)

    def parts(**options):
        data = source(tmp_path, validation=0.2, test=0.2, **options)
        return [names(data.samples(split)) for split in ("train", "val", "test")]

    first = parts()
    assert [sum(name.startswith("a/") for name in part) for part in first] == [12, 4, 4]
    assert [sum(name.startswith("b/") for name in part) for part in first] == [3, 1, 1]
    assert len({name for part in first for name in part}) == 25
    assert first == parts() != parts(seed=1)


def test_split_folders(tmp_path):
    for name, count in (("train", 4), ("validation", 3), ("test", 2)):
        fill(tmp_path / name, count=count, first=1000 * count)
    data = source(tmp_path, validation=0.5, test=0.4)
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [8, 6, 4]
    assert names(data.samples("val"))[:3] == [
        "validation/a/0.png",
        "validation/b/0.png",
        "validation/a/1.png",
    ]


def test_a_missing_split_is_taken_from_train(tmp_path):
    fill(tmp_path / "train", count=10)
    fill(tmp_path / "test", count=2, first=5000)
    data = source(tmp_path, validation=0.3, test=0.4)
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [14, 6, 4]
    assert all(name.startswith("train/") for name in names(data.samples("val")))


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path, ("bus", "test", "train"), count=5)
    data = source(tmp_path)
    assert data.class_names() == ("bus", "test", "train")
    assert len(data.samples("train")) == 12


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("Train", "Valid", "TEST"), ("training_set", "dev", "Testing"), ("TrainSet", "Validation", "test-set")],
)
def test_splits_are_known_in_any_capitals(tmp_path, train, val, test):
    for name, count in ((train, 4), (val, 3), (test, 2)):
        fill(tmp_path / name, count=count, first=1000 * count)
    data = source(tmp_path, validation=0.5, test=0.4)
    assert data.class_names() == ("a", "b")
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [8, 6, 4]
    assert not data.warnings()


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train", "seg_test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_data", "testing_data"),
        ("train_images", "test_images"),
        ("images_train", "images_test"),
        ("train1", "test1"),
        ("train2017", "Test2017"),
        ("traindata", "testdata"),
    ],
)
def test_a_word_in_a_name_tells_a_split_beside_another(tmp_path, train, test):
    fill(tmp_path / train, ("cat", "dog"), count=4)
    fill(tmp_path / test, ("cat", "dog"), count=3, first=5000)
    fill(tmp_path, ["seg_pred"], count=1, first=9000)
    data = source(tmp_path, validation=0.25)
    assert data.class_names() == ("cat", "dog")
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [6, 2, 6]
    assert names(data.samples("test"))[0] == f"{test}/cat/0.png"
    assert "not seg_pred" in data.warnings()[0]


def test_classes_with_a_word_of_a_split_in_their_names_are_classes(tmp_path):
    classes = ("bullet-train", "contest", "training shoes")
    data = source(fill(tmp_path, classes, count=3))
    fill(tmp_path / "training shoes", ["left", "right"], count=1, first=7000)
    assert data.class_names() == classes
    assert not data.warnings()
    assert not check(data).problems


@pytest.mark.parametrize("folds", [("fold1", "fold2"), ("Original", "Augmented"), ("train1", "train2", "x")])
def test_folds_are_no_classes(tmp_path, folds):
    for place, fold in enumerate(folds):
        fill(tmp_path / fold, ("cat", "dog"), count=3, first=1000 * place)
    with pytest.raises(UserError, match=r"hold the same folders, such as 'cat': these look like splits or"):
        source(tmp_path).samples("train")
    assert source(tmp_path, classes=folds).class_names() == folds


def test_a_class_with_one_folder_of_images_is_a_class(tmp_path):
    for place, name in enumerate("ab"):
        fill(tmp_path / name, ["images"], count=3, first=1000 * place)
    assert source(tmp_path).class_names() == ("a", "b")


def test_links_that_lead_back_or_to_another_class_are_left_out_aloud(tmp_path):
    fill(tmp_path, count=3)
    (tmp_path / "b" / "up").symlink_to("..")
    (tmp_path / "b" / "more").symlink_to("../a")
    (tmp_path / "loop").symlink_to("..")
    (tmp_path / "c").symlink_to("a")
    data = source(tmp_path, validation=0.0)
    assert data.class_names() == ("a", "b")
    assert sorted(names(data.samples("train"))) == [f"{name}/{i}.png" for name in "ab" for i in range(3)]
    back, twice = data.warnings()
    assert back.endswith(f"lead back to a folder that they lie in: '{tmp_path}/loop', '{tmp_path}/b/up'")
    assert twice.endswith(f"lead to folders that are read already: '{tmp_path}/c', '{tmp_path}/b/more'")
    assert check(data).problems == ()


def test_a_class_in_other_letters_or_with_a_blank_is_to_be_renamed(tmp_path):
    fill(tmp_path / "train", ("cat", "dog"))
    fill(tmp_path / "test", ("Cat", "dog "), first=5000)
    first, second = check(source(tmp_path)).problems
    assert "test/Cat' is none of the classes 'cat', 'dog'; rename it to 'cat'" in first
    assert "test/dog ' is none of the classes 'cat', 'dog'; rename it to 'dog'" in second


@pytest.mark.parametrize(
    ("options", "told"), [({}, "holds 1 class"), ({"classes": ("a", "b")}, "none of the classes")]
)
def test_data_one_folder_further_down_are_named(tmp_path, options, told):
    fill(tmp_path / "plain-main" / "inner")
    with pytest.raises(UserError, match=rf"plain-main'.*; give '{tmp_path}/plain-main/inner'$") as caught:
        source(tmp_path, **options).samples("train")
    assert told in str(caught.value)


def test_splits_may_lie_in_the_folders_of_classes(tmp_path):
    for name in "ab":
        fill(tmp_path / name, ("Train", "test"), count=3, first=500 * ord(name))
    data = source(tmp_path, validation=0.34)
    assert data.class_names() == ("a", "b")
    assert sorted(names(data.samples("test")))[::3] == ["a/test/0.png", "b/test/0.png"]
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [4, 2, 6]
    assert not data.warnings()
    write_image(tmp_path / "a" / "0.png", make_image(7))
    (warning,) = source(tmp_path).warnings()
    assert f"{tmp_path / 'a'} holds Train and test and more" in warning


def test_a_class_that_is_called_like_a_split_is_suspected_aloud(tmp_path):
    data = source(fill(tmp_path, ("bus", "car", "train"), count=5))
    (warning,) = data.warnings()
    assert f"{tmp_path / 'train'} is called like a split, but it holds images itself" in warning
    assert check(data).warnings == (warning,)


def test_what_lies_beside_the_splits_is_told(tmp_path):
    fill(tmp_path / "train", ("steam", "electric"))
    fill(tmp_path, ("bus", "car"))
    (tmp_path / "notes").mkdir()
    write_image(tmp_path / "x.png", make_image(7))
    data = source(tmp_path)
    assert data.class_names() == ("electric", "steam")
    assert data.warnings() == [f"{tmp_path}: only what lies in train is read, and not bus, car, x.png"]


def test_what_systems_leave_behind_is_no_class(tmp_path):
    fill(tmp_path, ("a", "b", "__MACOSX", ".ipynb_checkpoints", "@eaDir"), count=3)
    (tmp_path / "a" / "._0.png").write_bytes(b"\0\5\x16\7")
    data = source(tmp_path, validation=0.3)
    assert data.class_names() == ("a", "b")
    assert not check(data).problems


def test_a_class_is_the_same_however_its_letters_are_composed(tmp_path):
    fill(tmp_path / "train", ("Z\u00e4une", "b"), count=2)
    fill(tmp_path / "val", ("Za\u0308une", "b"), count=2, first=5000)
    data = source(tmp_path)
    assert data.class_names() == ("Z\u00e4une", "b")
    assert [sample.truth.label for sample in data.samples("val")] == [0, 1, 0, 1]
    assert source(tmp_path, classes=("b", "Za\u0308une")).class_names() == ("b", "Z\u00e4une")
    fill(tmp_path / "train", ["Za\u0308une"], count=2)
    with pytest.raises(UserError, match="are the same class"):
        source(tmp_path).class_names()


def test_hidden_files_other_files_and_nested_folders(tmp_path):
    fill(tmp_path, count=3)
    write_image(tmp_path / "a" / "more" / "x.png", make_image(7))
    (tmp_path / "a" / ".hidden.png").write_text("no image")
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / ".cache" / "c").mkdir(parents=True)
    (tmp_path / "README.md").touch()
    data = source(tmp_path, validation=0.3)
    assert data.class_names() == ("a", "b")
    assert len(data.samples("train")) + len(data.samples("val")) == 7


def test_classes_that_are_given_decide_the_labels(tmp_path):
    data = source(fill(tmp_path, "abc", count=2), classes=("c", "x", "a", "b"), validation=0)
    assert data.class_names() == ("c", "x", "a", "b")
    assert {s.name[0]: s.truth.label for s in data.samples("train")} == {"c": 0, "a": 2, "b": 3}


def complaint_about(path):
    """Each case breaks a good folder in one way and says what must be told."""
    return {
        "missing": (lambda: None, "does not exist"),
        "a file": (lambda: path.touch(), "is no folder"),
        "empty": (lambda: path.mkdir(), "holds 0 class(es)"),
        "one class": (lambda: fill(path, "a"), "holds 1 class(es)"),
        "no folders": (lambda: write_image(path / "x.png", make_image(0)), "holds 0 class(es)"),
        "loose": (lambda: write_image(fill(path) / "x.png", make_image(0)), "x.png lies in no class folder"),
        "empty class": (lambda: (fill(path) / "c").mkdir(), "c holds no images"),
        "too few": (lambda: fill(fill(path), "c", count=1), "class 'c': 1 image(s) cannot be divided"),
        "new in val": (
            lambda: (fill(path / "train"), fill(path / "val", "abc", first=9000)),
            "val/c' is none of the classes 'a', 'b'; remove it",
        ),
        "splits alone": (
            lambda: fill(path, ("Train", "test")),
            "holds no classes, only Train and test; put the images of each class",
        ),
        "a name no file can have": (
            lambda: fill(path, ["a", "b\udcff"]),
            r"'b\udcff' has a name that cannot",
        ),
        "only val": (lambda: fill(path / "val"), "no images to train on"),
    }


@pytest.mark.parametrize("case", complaint_about(None))
def test_what_is_wrong_is_told(tmp_path, case):
    prepare, told = complaint_about(tmp_path / "data")[case]
    prepare()
    with pytest.raises(UserError) as caught:
        source(tmp_path / "data").samples("train")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_problem_is_told_by_the_check_and_the_rest_is_counted(tmp_path):
    fill(tmp_path / "train", "ab", count=4)
    fill(tmp_path / "val", "ab", count=2, first=5000)
    (tmp_path / "train" / "a" / "1.png").write_bytes(b"hello")
    (tmp_path / "train" / "b" / "2.png").write_bytes(b"")
    (tmp_path / "train" / "c").mkdir()
    write_image(tmp_path / "train" / "d" / "0.png", make_image(77))
    write_image(tmp_path / "val" / "b" / "twin.png", make_image(77))
    write_image(tmp_path / "val" / "loose.png", make_image(78))
    report = check(source(tmp_path))
    for told in ("a/1.png is not an image", "b/2.png is empty", "train/c holds no images",
                 "val/loose.png lies in no class folder"):  # fmt: skip
        assert len([line for line in report.problems if told in line]) == 1, told
    assert len(report.problems) == 4
    assert report.splits == {"train": 7, "val": 5}
    assert report.classes == pytest.approx({"a": 5 / 12, "b": 6 / 12, "c": 0, "d": 1 / 12})
    assert report.void == 0
    (warning,) = report.warnings
    assert "train/d/0.png (train) and val/b/twin.png (val) are the same image" in warning
    assert any("41.67% of the images" in line for line in report.lines())


def test_settings_survive_json_and_samples_other_processes(tmp_path):
    data = source(fill(tmp_path), classes=("a", "b"))
    data.samples("train")
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(data)))) == data
    assert len(pickle.loads(pickle.dumps(data.samples("train")))[2:5]) == 3


@pytest.mark.parametrize("options", [{"validation": 0.6, "test": 0.4}, {"classes": ("a", "a")}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(UserError):
        settings.build(ClassFolders, {"path": "x"} | options)

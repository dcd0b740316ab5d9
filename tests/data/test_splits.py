"""What the folders of splits may be called."""

import pytest

from kerazoo.data.splits import divide, split_folders, split_in_name, split_of, splits_by_name
from kerazoo.errors import UserError


@pytest.mark.parametrize(
    ("name", "split"),
    [(name, "train") for name in ("train", "Train", "TRAINING", "training_set", "trainset", "Train-Set")]
    + [(name, "val") for name in ("val", "Valid", "validation", "dev", "dev_set", "Validation Set")]
    + [(name, "test") for name in ("test", "Testing", "test_set", "TESTSET")]
    + [(name, None) for name in ("cats", "images", "set", "trains", "my_train", "")],
)
def test_split_of_a_name(name, split):
    assert split_of(name) == split


def test_folders_of_splits_in_order(tmp_path):
    for name in ("Test", "training", "cats"):
        (tmp_path / name).mkdir()
    assert list(split_folders(tmp_path).items()) == [
        ("train", tmp_path / "training"),
        ("test", tmp_path / "Test"),
    ]
    (tmp_path / "Train").mkdir()
    with pytest.raises(UserError, match="both train folders"):
        split_folders(tmp_path)


@pytest.mark.parametrize(
    ("name", "split"),
    [(name, "train") for name in ("train-images-idx3-ubyte.gz", "TRAIN_1.bin", "trainimages", "MnistTrain")]
    + [(name, "test") for name in ("t10k-labels", "test_batch.bin", "Testing-images", "MNISTTest.bin")]
    + [(name, "val") for name in ("val.bin", "Validation-images", "dev-labels", "valid_1")]
    + [(name, None) for name in ("data_batch_1.bin", "latest.bin", "values.bin", "devices", "interval-1")]
    + [
        ("seg_test", "test"),
        ("val2017", "val"),
        ("testimages", "test"),
        ("contest", None),
        ("train-val", None),
    ],
)
def test_split_that_a_part_of_a_name_tells(name, split):
    assert split_in_name(name) == split


def test_a_word_in_a_name_counts_where_two_splits_are_told():
    assert splits_by_name(["bullet-train", "car"]) == {}
    assert splits_by_name(["seg_train", "seg_val", "x"]) == {"seg_train": "train", "seg_val": "val"}
    assert splits_by_name(["train", "train_masks", "test1"]) == {"train": "train", "test1": "test"}


def test_too_few_to_divide_are_named():
    with pytest.raises(UserError, match=r"^1 class\(es\) cannot be divided into train and test; add some$"):
        divide(["a"], 0.0, 0.5, "random", 0, what="class(es)", remedy="add some")

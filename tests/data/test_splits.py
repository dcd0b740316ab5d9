"""What the folders of splits may be called."""

import pytest

from kerazoo.data.splits import split_folders, split_of
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
